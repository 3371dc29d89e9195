import { engineError, printableText } from '../../../engine/index.ts';
import { readKeys, removeKeySlot, slotNamed } from '../../../store/index.ts';
import type { Command } from '../../context.ts';
import { openConfiguredStore } from '../../open-store.ts';

export interface RemoveOptions {
  readonly slot?: string;
}

const doesNotRevoke =
  'This does not revoke: whoever opened the store with it may have kept the ring key, and a copy of the slot still gives it. To keep from them what is written from now on, run `stillpoint keys rotate`.';

/** Removes a slot. Whether its passphrase opens another nobody can tell who does not have it. */
export const removeSlot: Command<RemoveOptions> = async (context, options) => {
  if (options.slot === undefined) {
    throw engineError('USAGE', 'Cannot remove a key slot: none was named', {
      remedy: 'Give its id or its label: see `stillpoint keys list`.',
    });
  }
  await using store = await openConfiguredStore(context);
  const { signal } = context;
  const report = await readKeys(store, { signal });
  const id = slotNamed(report, options.slot);
  const label = report.slots.find(slot => slot.id === id)?.label ?? '';
  await removeKeySlot(store, id, { signal });
  context.output.result(
    { messageType: 'summary', removed: id, label, revoked: false, note: doesNotRevoke },
    `Removed slot ${id.slice(0, 8)}${label && ` (${printableText(label)})`}: it opens nothing any more. Another slot with the same passphrase would still open the store.\n${doesNotRevoke}`,
  );
  return 0;
};
