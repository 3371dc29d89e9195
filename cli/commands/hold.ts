import { setHold } from '../../store/index.ts';
import type { Command } from '../context.ts';
import { openConfiguredStore } from '../open-store.ts';
import { type SnapshotWish, snapshotNamed } from '../snapshot-named.ts';

interface HoldOptions extends SnapshotWish {
  readonly release?: true;
}

/** Keeps a snapshot from every policy and from forget, or no longer. Saying it twice changes nothing. */
export const hold: Command<HoldOptions> = async (context, options) => {
  await using store = await openConfiguredStore(context);
  // A damaged manifest still has its name, and a hold of it can be released.
  const id = /^[0-9a-f]{4,64}$/i.test(options.snapshot)
    ? await store.resolve(options.snapshot)
    : (await snapshotNamed(context, store, options)).id;
  const isHeld = !options.release;
  await setHold(store, id, { isHeld, reason: 'by hand', signal: context.signal });
  context.output.result(
    { messageType: 'summary', snapshot: id, held: isHeld },
    `Snapshot ${id.slice(0, 8)} is ${isHeld ? 'on hold: nothing forgets it until it is released' : 'not on hold'}.`,
  );
  return 0;
};
