import type { SnapshotId } from '../ids.ts';
import type { Damage, DamagedKind } from '../verify.ts';
import type { OpenDamage } from './generation.ts';

/** Something damaged that a repair leaves as it is. */
export interface LeftDamage {
  readonly object: string;
  readonly state: string;
  /** What it means, and what a person can do. */
  readonly remedy: string;
  /** True: nothing is lost or stopped by it. */
  readonly isHarmless: boolean;
}

const byPrune = 'Nothing is lost by it; `stillpoint prune` removes what a dead run left.';

/** What damage to an object of each kind means; packs, index parts, manifests and nodes are not left. */
const meanings: Partial<Record<DamagedKind, Omit<LeftDamage, 'object' | 'state'>>> = {
  config: {
    isHarmless: false,
    remedy: 'Bring config back from a copy now: without it the store cannot be opened again.',
  },
  slot: {
    isHarmless: false,
    remedy:
      'Its passphrase opens nothing. Bring the file back from a copy of keys/, or add the passphrase anew with `stillpoint keys add` and remove this slot.',
  },
  ring: {
    isHarmless: false,
    remedy: 'Bring the file back from a copy of keys/: a later program may need it.',
  },
  session: { isHarmless: true, remedy: byPrune },
  heartbeat: { isHarmless: true, remedy: byPrune },
  intent: { isHarmless: true, remedy: byPrune },
  generation: { isHarmless: true, remedy: 'It was decided already, so nothing depends on it.' },
  sweep: { isHarmless: true, remedy: 'What it named is gone already, so nothing depends on it.' },
  done: { isHarmless: true, remedy: 'That it is there says enough; the lists before it are read instead.' },
  forgotten: {
    isHarmless: true,
    remedy: 'Its name says that the snapshot was forgotten; when and why is lost.',
  },
  damage: { isHarmless: true, remedy: 'What is still bad was looked for again and recorded anew.' },
  ledger: { isHarmless: true, remedy: 'What was checked then counts as never checked.' },
  hold: {
    isHarmless: false,
    remedy:
      'Until it is said anew, its snapshot counts as held: `stillpoint hold SNAPSHOT`, with --release or without.',
  },
  parity: {
    isHarmless: true,
    remedy:
      'Nothing is lost by it. Remove this one file, and `stillpoint repair` writes it anew where the configuration has `parity: on`.',
  },
};

/** Damage that stays, with what it means. */
export function leftOf(
  damage: readonly Damage[],
  { open, manifests }: { readonly open: OpenDamage | undefined; readonly manifests: ReadonlySet<SnapshotId> },
): LeftDamage[] {
  return damage.flatMap(({ kind, object, state }) => {
    const meaning = meanings[kind];
    const id = object.slice('forgotten/'.length) as SnapshotId;
    if (kind === 'forgotten' && manifests.has(id))
      return [{ object, state, isHarmless: false, remedy: unsure(id) }];
    if (meaning === undefined) return [];
    if (object !== open?.object) return [{ object, state, ...meaning }];
    return open.way === 'none' ? [{ object, state, isHarmless: false, remedy: undecided }] : [];
  });
}

const unsure = (id: SnapshotId): string =>
  `Its snapshot is still there, and counts as not forgotten: to drop it, run \`stillpoint forget ${id}\`; to keep it, remove this one file. Until then no prune goes on.`;

const undecided =
  'Bring it, or the record of its generation, back from a copy of the store: without either nobody knows which packs are about to go, so no backup and no prune can go on. Snapshots can be restored all the same.';
