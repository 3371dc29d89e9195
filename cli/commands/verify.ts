import { listSnapshots, type NamedDamage, verifySnapshots } from '../../engine/index.ts';
import type { Command } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { openConfiguredStore } from '../open-store.ts';
import { counted, size } from '../render/quantities.ts';
import { snapshotNamed } from '../snapshot-named.ts';
import { withWitness } from '../witness.ts';

interface VerifyOptions {
  readonly snapshots: readonly string[];
  readonly readData?: true;
  readonly instance?: string;
  readonly tag?: string;
  readonly witness?: string;
}

/** Checks the store and the named snapshots (default: all); names what is damaged and what that takes with it. */
export const verify: Command<VerifyOptions> = async (context, options) => {
  await using store = await openConfiguredStore(context);
  const filter = { instance: options.instance, tag: options.tag };
  const named = options.snapshots.map(snapshot => snapshotNamed(context, store, { ...options, snapshot }));
  // A manifest that cannot be read is among what the store's own verification names.
  const snapshots =
    named.length > 0
      ? await Promise.all(named)
      : await listSnapshots(store, { ...filter, onDamage: () => undefined });
  const beside = { store, file: options.witness };
  const result = await withWitness(context, beside, () =>
    verifySnapshots({
      store,
      snapshots,
      readData: options.readData ?? false,
      packs: named.length > 0 ? 'needed' : 'all',
      signal: context.signal,
      onProgress: context.progress.onProgress,
    }),
  );
  const read = options.readData
    ? `${size(result.bytesRead)} read`
    : 'structure only; --read-data reads every byte';
  context.output.result(
    { messageType: 'summary', ...result },
    [
      ...result.damage.flatMap(describe),
      `${result.ok ? 'No damage' : counted(result.damage.length, 'damaged object')} in ${counted(result.snapshots, 'snapshot')}: ` +
        `${counted(result.chunksChecked, 'chunk')} checked, ${read}.`,
    ].join('\n'),
  );
  return result.ok ? exitCodes.done : exitCodes.damaged;
};

function describe(damage: NamedDamage): string[] {
  return [
    `damaged ${damage.kind} ${damage.object}: ${damage.state}`,
    ...damage.affects.map(name => `  affects ${name}`),
  ];
}
