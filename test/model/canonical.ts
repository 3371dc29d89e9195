import {
  chunksIn,
  gc,
  intents,
  isThere,
  type Layout,
  ownerIn,
  packOf,
  packsMax,
  partsMax,
  partsThere,
  prunerField,
  replacesOf,
  rowsOf,
  type State,
  sessions,
  snapshotOf,
  told,
} from './world.ts';

/**
 * One state for many that differ in names only: what nobody can see any more is forgotten, packs and parts are put in an
 * order of their own, and parties that do the same change places. Sound however little it finds: it only renames.
 */
export function makeCanonical(
  layout: Layout,
  { forgetsNames }: { readonly forgetsNames: boolean },
): (state: State) => void {
  const { writers, pruners, configuration, firstPruner } = layout;
  const twins = configuration.writers.flatMap((a, i) =>
    configuration.writers.flatMap((b, j) =>
      i < j && a.needs === b.needs && a.parent === b.parent ? [[i, j] as const] : [],
    ),
  );
  return state => {
    forgetOwners(state);
    if (forgetsNames) sweepOut(layout, state);
    for (const [i, j] of twins)
      if (compareBytes(state, { a: writers[i]!, b: writers[j]!, count: 8 }) > 0)
        swapWriters(layout, state, [i, j]);
    for (let i = 0; i + 1 < configuration.pruners; i++)
      for (let j = i + 1; j < configuration.pruners; j++)
        if (compareBytes(state, { a: pruners[i]!, b: pruners[j]!, count: 14 }) > 0)
          swapPruners(layout, state, [i, j], firstPruner);
    orderPacks(layout, state);
    orderParts(layout, state);
  };
}

/** Whose session is gone never comes back. */
function forgetOwners(state: State): void {
  for (let pack = 0; pack < packsMax; pack++) {
    const owner = ownerIn(state[packOf(pack)]!);
    if (owner !== 0 && !(state[sessions]! & (1 << (owner - 1)))) state[packOf(pack)]! &= 15;
  }
}

/** Packs that are gone and that nobody lists or remembers; parts likewise. */
function sweepOut({ packSets, partSets }: Layout, state: State): void {
  const there = state[partsThere]!;
  let remembered = there;
  for (const at of partSets) if (at < rowsOf(0) || at > replacesOf(partsMax - 1)) remembered |= state[at]!;
  for (let part = 0; part < partsMax; part++) {
    state[replacesOf(part)]! &= there;
    if (remembered & (1 << part)) continue;
    state[rowsOf(part)] = 0;
    state[replacesOf(part)] = 0;
  }
  let used = 0;
  for (const at of packSets) if (at !== gc.swept) used |= state[at]!;
  for (let pack = 0; pack < packsMax; pack++) {
    if (isThere(state[packOf(pack)]!) || used & (1 << pack)) continue;
    state[packOf(pack)] = 0;
    state[gc.swept]! &= ~(1 << pack);
  }
}

function compareBytes(state: State, { a, b, count }: { a: number; b: number; count: number }): number {
  for (let i = 0; i < count; i++) if (state[a + i] !== state[b + i]) return state[a + i]! - state[b + i]!;
  return 0;
}

function swapBytes(state: State, a: number, b: number): void {
  const kept = state[a]!;
  state[a] = state[b]!;
  state[b] = kept;
}

function swapBits(state: State, at: number, [i, j]: readonly [number, number]): void {
  const set = state[at]!;
  const one = (set >> i) & 1;
  const other = (set >> j) & 1;
  if (one !== other) state[at] = set ^ ((1 << i) | (1 << j));
}

function swapOwners(state: State, [i, j]: readonly [number, number]): void {
  for (let pack = 0; pack < packsMax; pack++) {
    const byte = state[packOf(pack)]!;
    const owner = ownerIn(byte);
    if (owner === i + 1) state[packOf(pack)] = (byte & 15) | ((j + 1) << 4);
    else if (owner === j + 1) state[packOf(pack)] = (byte & 15) | ((i + 1) << 4);
  }
}

function swapWriters(layout: Layout, state: State, pair: readonly [number, number]): void {
  const { writers, pruners, configuration } = layout;
  const [i, j] = pair;
  const before = configuration.snapshots.length;
  const snapshots = [before + i, before + j] as const;
  for (let at = 0; at < 8; at++) swapBytes(state, writers[i]! + at, writers[j]! + at);
  swapBytes(state, snapshotOf(snapshots[0]), snapshotOf(snapshots[1]));
  for (const at of [intents, told, sessions]) swapBits(state, at, pair);
  swapOwners(state, pair);
  for (const at of pruners) {
    for (const field of [prunerField.intents, prunerField.sessions]) swapBits(state, at + field, pair);
    for (const field of [prunerField.manifests, prunerField.forgotten, prunerField.named])
      swapBits(state, at + field, snapshots);
  }
}

function swapPruners(
  { pruners }: Layout,
  state: State,
  [i, j]: readonly [number, number],
  firstPruner: number,
): void {
  const parties = [firstPruner + i, firstPruner + j] as const;
  for (let at = 0; at < 14; at++) swapBytes(state, pruners[i]! + at, pruners[j]! + at);
  swapBits(state, sessions, parties);
  swapOwners(state, parties);
  for (const at of pruners) swapBits(state, at + prunerField.sessions, parties);
}

const signatures = new Float64Array(8);
const order = new Uint8Array(8);
const kept = new Uint8Array(32);

/** Sorts 0 to count - 1 by signature; false where they are in order already. */
function sorted(count: number): boolean {
  let changed = false;
  for (let i = 0; i < count; i++) order[i] = i;
  for (let i = 1; i < count; i++)
    for (let j = i; j > 0 && signatures[order[j - 1]!]! < signatures[order[j]!]!; j--) {
      const other = order[j]!;
      order[j] = order[j - 1]!;
      order[j - 1] = other;
      changed = true;
    }
  return changed;
}

function renamed(set: number, count: number): number {
  let result = 0;
  for (let to = 0; to < count; to++) if (set & (1 << order[to]!)) result |= 1 << to;
  return result;
}

function orderPacks({ packSets }: Layout, state: State): void {
  for (let pack = 0; pack < packsMax; pack++) {
    const byte = state[packOf(pack)]!;
    let signature = byte === 0 ? 0 : 1 + chunksIn(byte) * 2 + (isThere(byte) ? 1 : 0) + ownerIn(byte) * 32;
    for (const at of packSets) signature = signature * 2 + ((state[at]! >> pack) & 1);
    signatures[pack] = byte === 0 ? 0 : signature + 1;
  }
  if (!sorted(packsMax)) return;
  for (let pack = 0; pack < packsMax; pack++) kept[pack] = state[packOf(pack)]!;
  for (let to = 0; to < packsMax; to++) state[packOf(to)] = kept[order[to]!]!;
  for (const at of packSets) if (state[at] !== 0) state[at] = renamed(state[at]!, packsMax);
}

function orderParts({ partSets }: Layout, state: State): void {
  for (let part = 0; part < partsMax; part++) {
    let signature = state[rowsOf(part)]! * 2;
    for (const at of partSets) signature = signature * 2 + ((state[at]! >> part) & 1);
    signatures[part] = signature;
  }
  if (!sorted(partsMax)) return;
  for (let part = 0; part < partsMax; part++) {
    kept[2 * part] = state[rowsOf(part)]!;
    kept[2 * part + 1] = state[replacesOf(part)]!;
  }
  for (let to = 0; to < partsMax; to++) {
    state[rowsOf(to)] = kept[2 * order[to]!]!;
    state[replacesOf(to)] = kept[2 * order[to]! + 1]!;
  }
  for (const at of partSets) if (state[at] !== 0) state[at] = renamed(state[at]!, partsMax);
}
