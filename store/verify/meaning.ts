import type { StillpointError } from '../errors.ts';
import type { PackId, SnapshotId } from '../ids.ts';
import { type Generations, generationName, tombstonesOf } from '../protocol/generations.ts';
import type { Damage, DamagedKind } from './report.ts';

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

/** What damage to an object of each kind means; packs and nodes are not left. */
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
  index: {
    isHarmless: true,
    remedy: 'A later part says all that it said, so nothing is lost by it; `stillpoint prune` removes it.',
  },
  manifest: { isHarmless: true, remedy: 'Its snapshot was forgotten; `stillpoint prune` removes it.' },
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
      'Nothing is lost by it. Remove this one file, and `stillpoint repair` writes it anew unless the configuration has `parity: off`.',
  },
};

/** What damage to records depends on. */
export interface MeaningFacts {
  readonly open: OpenDamage | undefined;
  readonly manifests: ReadonlySet<SnapshotId>;
  readonly forgotten: ReadonlySet<SnapshotId>;
  /** Names of all holds. */
  readonly holds: readonly string[];
  /** Why nobody can write: what gc/ says cannot be used. */
  readonly stopped: StillpointError | undefined;
  /** Every byte of the packs is read, so that what a damage record said is found again. */
  readonly isDataRead: boolean;
}

/** Damage that stays, with what it means. */
export function leftOf(damage: readonly Damage[], facts: MeaningFacts): LeftDamage[] {
  const { open } = facts;
  const damaged = new Set(damage.map(({ object }) => object));
  const holds = facts.holds.filter(name => !damaged.has(name));
  return damage.flatMap(({ kind, object, state, mayBeWhole, isUntrusted, isReplaced }) => {
    // What nothing replaces yet is what a repair is for, and what was not forgotten may be lost.
    if (kind === 'index' && !isReplaced) return [];
    if (kind === 'manifest' && !isForgotten(object, facts)) return [];
    const meaning =
      exceptionOf({ kind, object, isUntrusted: isUntrusted ?? false }, { ...facts, holds }) ?? meanings[kind];
    if (meaning === undefined) return [];
    if (mayBeWhole) return [{ object, state, isHarmless: false, remedy: unread }];
    if (object !== open?.object) return [{ object, state, ...meaning }];
    return open.way === 'none' ? [{ object, state, isHarmless: false, remedy: undecided }] : [];
  });
}

/** Whether a manifest, by its name, is that of a snapshot that was forgotten. */
export function isForgotten(object: string, { forgotten }: Pick<MeaningFacts, 'forgotten'>): boolean {
  return forgotten.has(object.slice('manifests/'.length) as SnapshotId);
}

/** Where it hangs on what else is in the store, or is done with it. */
function exceptionOf(
  { kind, object, isUntrusted }: Pick<Damage, 'kind' | 'object' | 'isUntrusted'>,
  { manifests, holds, open, stopped, isDataRead }: MeaningFacts,
): Omit<LeftDamage, 'object' | 'state'> | undefined {
  if (kind === 'forgotten') {
    const id = object.slice('forgotten/'.length) as SnapshotId;
    if (manifests.has(id)) return { isHarmless: false, remedy: unsure(id) };
  }
  if (object.startsWith('gc/') && stopped !== undefined && stopped.context['object'] !== open?.object)
    return { isHarmless: false, remedy: `No backup and no prune goes on. ${stopped.remedy ?? ''}`.trimEnd() };
  if (isUntrusted && !object.startsWith('gc/')) return { isHarmless: false, remedy: foreign };
  if (kind === 'damage' && !isDataRead) return { isHarmless: false, remedy: lookedForLater };
  if (kind !== 'hold') return undefined;
  const [id, version] = object.slice('holds/'.length).split('.');
  if (!manifests.has(id as SnapshotId)) return { isHarmless: true, remedy: 'Its snapshot is not there.' };
  const isSaidAnew = holds.some(name => {
    const [ofId, later] = name.slice('holds/'.length).split('.');
    return ofId === id && Number(later) > Number(version);
  });
  return isSaidAnew
    ? { isHarmless: true, remedy: 'A later one says whether its snapshot is held.' }
    : undefined;
}

const foreign =
  'It counts for nothing. Find out which host made it, dismiss that with `stillpoint keys remove`, and remove this one file.';

const lookedForLater =
  'What it said is bad is looked for again and recorded anew by `stillpoint repair` without --index.';

const unread =
  'The medium fails to read it, and it may be whole: check the disk, or copy the store to another medium and go on there.';

const unsure = (id: SnapshotId): string =>
  `Its snapshot is still there, and counts as not forgotten: to drop it, run \`stillpoint forget ${id}\`; to keep it, remove this one file. Until then no prune goes on.`;

const undecided =
  'Bring it, or the record of its generation, back from a copy of the store: without either nobody knows which packs are about to go, so no backup and no prune can go on. Snapshots can be restored all the same.';

/** What is to become of an open generation that cannot be read, and stops every backup. */
export type OpenDamage =
  /** Nobody has decided, and nobody knows about what: nothing goes. */
  | { readonly way: 'veto'; readonly object: string; readonly number: number }
  /** It was decided, and nobody knows how: nothing depends on any of its packs any more, whatever became of them. */
  | {
      readonly way: 'end';
      readonly object: string;
      readonly number: number;
      readonly packs: ReadonlySet<PackId>;
    }
  /** Nobody knows which packs are about to go. */
  | { readonly way: 'none'; readonly object: string };

export function openDamage(
  { open }: Generations,
  isDamaged: (object: string) => boolean,
): OpenDamage | undefined {
  if (open === undefined) return undefined;
  const { number, record } = open;
  const [object, sweep] = [generationName(number), generationName(number, '.sweep')];
  if (isDamaged(sweep)) {
    if (isDamaged(object) || record === undefined) return { way: 'none', object: sweep };
    return { way: 'end', object: sweep, number, packs: new Set(tombstonesOf(record)) };
  }
  return isDamaged(object) && open.sweep === undefined ? { way: 'veto', object, number } : undefined;
}
