import { engineError, printableText } from '../../../engine/index.ts';
import { addKeySlot } from '../../../store/index.ts';
import type { Command } from '../../context.ts';
import { openConfiguredStore } from '../../open-store.ts';
import { type NewPassphraseOptions, readNewPassphrase } from '../../settings/secrets.ts';
import { slotJson } from './list.ts';

export interface AddOptions extends NewPassphraseOptions {
  readonly label?: string;
}

const labelBytesMax = 63;

/** Lets another passphrase open the store. */
export const addSlot: Command<AddOptions> = async (context, options) => {
  const label = checkedLabel(options.label ?? '');
  await using store = await openConfiguredStore(context);
  const passphrase = await readNewPassphrase(context, options);
  const slot = await addKeySlot(store, { passphrase, label, kdf: context.kdf, signal: context.signal });
  context.output.result(
    { messageType: 'summary', slot: slotJson(slot) },
    `Added slot ${slot.id.slice(0, 8)}${label && ` (${printableText(label)})`}: its passphrase opens the store, as was tried.`,
  );
  return 0;
};

function checkedLabel(label: string): string {
  if (Buffer.byteLength(label) <= labelBytesMax) return label;
  throw engineError('USAGE', `Cannot use the label: it has ${Buffer.byteLength(label)} bytes`, {
    remedy: `Give one of at most ${labelBytesMax} bytes.`,
  });
}
