import { engineError } from '../../engine/index.ts';
import type { Command } from '../context.ts';
import { type AddOptions, addSlot } from './keys/add.ts';
import { addHost, dismissHost, type HostOptions } from './keys/hosts.ts';
import { listSlots } from './keys/list.ts';
import { type RemoveOptions, removeSlot } from './keys/remove.ts';
import { type RotateOptions, rotate } from './keys/rotate.ts';

type Action = 'list' | 'add' | 'remove' | 'rotate';

interface KeysOptions extends AddOptions, RemoveOptions, RotateOptions, HostOptions {
  readonly action: Action;
  readonly host?: string;
}

/** Who may open the store. */
export const keys: Command<KeysOptions> = (context, { action, ...options }) => {
  refuseForeign(action, options);
  switch (action) {
    case 'list':
      return listSlots(context, options);
    case 'add':
      return options.writeOnly ? addHost(context, options) : addSlot(context, options);
    case 'remove':
      return options.host === undefined
        ? removeSlot(context, options)
        : dismissHost(context, { host: options.host });
    case 'rotate':
      return rotate(context, options);
    default:
      return action satisfies never;
  }
};

type OwnOption = Exclude<keyof KeysOptions, 'action'>;

/** Which actions take what stands beside the options of every command. */
const takenBy: Readonly<Record<OwnOption, readonly Action[]>> = {
  slot: ['remove'],
  label: ['add'],
  newPassphraseFile: ['add', 'rotate'],
  newPassphraseCommand: ['add', 'rotate'],
  passphrase: ['rotate'],
  keepPassphraseFile: ['rotate'],
  dropOthers: ['rotate'],
  writeOnly: ['add'],
  name: ['add'],
  output: ['add'],
  renew: ['add'],
  host: ['remove'],
};

/** What an action does not take is a mistake, not nothing: `keys list --drop-others` was meant to be something else. */
function refuseForeign(action: Action, options: Readonly<Record<string, unknown>>): void {
  for (const [name, actions] of Object.entries(takenBy)) {
    const value = options[name];
    const isGiven = Array.isArray(value) ? value.length > 0 : value !== undefined;
    if (!isGiven || actions.includes(action)) continue;
    const option = `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`;
    const what = name === 'slot' ? `the argument ${JSON.stringify(value)}` : option;
    throw engineError('USAGE', `Cannot run keys ${action}: it does not take ${what}`, {
      remedy: `Only keys ${actions.join(' and keys ')} does. See \`stillpoint keys --help\`.`,
    });
  }
}
