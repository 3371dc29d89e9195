import type { Command } from '../context.ts';
import { type AddOptions, addSlot } from './keys/add.ts';
import { listSlots } from './keys/list.ts';

interface KeysOptions extends AddOptions {
  readonly action: 'list' | 'add';
}

/** Who may open the store. */
export const keys: Command<KeysOptions> = (context, { action, ...options }) => {
  switch (action) {
    case 'list':
      return listSlots(context, options);
    case 'add':
      return addSlot(context, options);
    default:
      return action satisfies never;
  }
};
