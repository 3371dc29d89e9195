import type { Moves } from './moves.ts';
import {
  chunksIn,
  gc,
  isThere,
  type Layout,
  listedIn,
  ownerIn,
  prunerField as p,
  packOf,
  packsMax,
  packsThere,
  partsMax,
  partsThere,
  replacesOf,
  rowsOf,
  type State,
} from './world.ts';

/** What a pruner proposes. */
export interface Plan {
  readonly tombs: number;
  /** Those of them that are there for what is not needed, and chunks of theirs that are copied first. */
  readonly rewritten: number;
  readonly copies: number;
  /** Packs that stay and that no part lists. */
  readonly rows: number;
  readonly oldParts: number;
}

/** The medium as a pruner sees it. */
export interface View {
  readonly state: State;
  readonly has: Moves['has'];
  /** Of the pruner: its own packs are its own business. */
  readonly party: number;
  readonly there: number;
  readonly listed: number;
  /** Parts that another one replaces. */
  readonly replaced: number;
  rowsOfPart(part: number): number;
  /** Parts that list any of the packs. */
  listing(packs: number): number;
}

export function viewFor(state: State, { has }: Moves, party: number): View {
  const parts = state[partsThere]!;
  let replaced = 0;
  for (let part = 0; part < partsMax; part++) if (parts & (1 << part)) replaced |= state[replacesOf(part)]!;
  return {
    state,
    has,
    party,
    there: packsThere(state),
    listed: listedIn(state, parts),
    replaced: replaced & parts,
    rowsOfPart: part => state[rowsOf(part)]!,
    listing(packs) {
      let found = 0;
      for (let part = 0; part < partsMax; part++)
        if (parts & (1 << part) && state[rowsOf(part)]! & packs) found |= 1 << part;
      return found;
    },
  };
}

/** Chunks that are needed by what was listed; undefined when a session reads what is neither there nor forgotten. */
export function roots(
  layout: Layout,
  { has, to, at }: { readonly has: Moves['has']; readonly to: State; readonly at: number },
): number | undefined {
  const { snapshots } = layout.configuration;
  const named = to[at + p.named]!;
  const manifests = to[at + p.manifests]!;
  if ((named & ~manifests & ~to[at + p.forgotten]!) !== 0) return undefined;
  let live = 0;
  for (let i = 0; i < layout.snapshotCount; i++) {
    const isWanted = named & (1 << i) || !(to[at + p.forgotten]! & (1 << i));
    if (manifests & (1 << i) && isWanted) live |= layout.needs[i]!;
    if (has('intents count') && i >= snapshots.length && to[at + p.intents]! & (1 << (i - snapshots.length)))
      live |= layout.needs[i]!;
  }
  return live;
}

function isOwned(byte: number, sessions: number): boolean {
  const owner = ownerIn(byte);
  return owner !== 0 && (sessions & (1 << (owner - 1))) !== 0;
}

/** Packs whose chunks a pruner knows: listed ones, and those that are asked themselves, but for running sessions'. */
function known({ state, there, listed }: View, alive: number): number {
  let packs = there & ~state[gc.swept]!;
  for (let pack = 0; pack < packsMax; pack++)
    if (!(listed & (1 << pack)) && isOwned(state[packOf(pack)]!, alive)) packs &= ~(1 << pack);
  return packs;
}

/**
 * What may be proposed. Which of several copies is kept hangs on random names: either end of any order. And less may be: what
 * is mostly needed is not rewritten, nor what the time or the room does not suffice for; what a dead run left may stay.
 */
export function plan(
  view: View,
  { live, alive, mayBeLess }: { readonly live: number; readonly alive: number; readonly mayBeLess: boolean },
): readonly Plan[] {
  const plans: Plan[] = [];
  const take = (made: Plan): void => {
    if (!plans.some(other => isSame(other, made))) plans.push(made);
  };
  for (const fromEnd of [false, true]) take(planWith(view, { live, alive, fromEnd }));
  if (mayBeLess)
    for (const { rewritten, ...made } of plans.slice()) {
      const rows = view.has('what is kept is listed') ? made.rows | (rewritten & ~view.listed) : 0;
      take({ ...made, tombs: made.tombs & ~rewritten, copies: 0, rows, rewritten: 0 });
      take({ ...made, tombs: rewritten, rewritten });
    }
  return plans;
}

function isSame(a: Plan, b: Plan): boolean {
  return a.tombs === b.tombs && a.copies === b.copies && a.rows === b.rows && a.oldParts === b.oldParts;
}

function planWith(
  view: View,
  { live, alive, fromEnd }: { readonly live: number; readonly alive: number; readonly fromEnd: boolean },
): Plan {
  const { state, has, there, listed, replaced } = view;
  const packs = known(view, alive);
  let tombs = 0;
  let rewritten = 0;
  let copies = 0;
  let rows = 0;
  let left = live;
  for (let i = 0; i < packsMax; i++) {
    const pack = fromEnd ? packsMax - 1 - i : i;
    const byte = state[packOf(pack)]!;
    if (!isThere(byte) || !(there & ~state[gc.swept]! & (1 << pack))) continue;
    const isKnown = (packs & (1 << pack)) !== 0;
    const keeps = isKnown ? chunksIn(byte) & left : 0;
    left &= ~keeps;
    const stays = has('packs of sessions stay') && isOwned(byte, alive);
    if (!stays && keeps === 0) tombs |= 1 << pack;
    else if (!stays && keeps !== chunksIn(byte)) {
      tombs |= 1 << pack;
      rewritten |= 1 << pack;
      copies |= keeps;
    } else if (!stays && !has('one copy is kept') && hasTwin(view, packs, chunksIn(byte))) tombs |= 1 << pack;
    if (keeps !== 0 && !(tombs & (1 << pack)) && !(listed & (1 << pack))) rows |= 1 << pack;
  }
  return { tombs, rewritten, copies, rows: has('what is kept is listed') ? rows : 0, oldParts: replaced };
}

function hasTwin({ state }: View, packs: number, chunks: number): boolean {
  let holders = 0;
  for (let pack = 0; pack < packsMax; pack++)
    if (packs & (1 << pack) && (chunksIn(state[packOf(pack)]!) & chunks) === chunks) holders += 1;
  return holders > 1;
}

/** What of the open generation goes. */
export function sweepOf(
  view: View,
  { live, alive, promised }: { readonly live: number; readonly alive: number; readonly promised: number },
): { readonly tombs: number; readonly rows: number; readonly oldParts: number } {
  const { state, has, listed, party } = view;
  const tombs = state[gc.tombs]!;
  const packs = known(view, alive);
  let spared = 0;
  for (let chunk = 1; chunk <= 4; chunk <<= 1) {
    if (!(live & chunk) || promised & chunk || !has('a whole copy is outside')) continue;
    const holders = holdersOf(state, packs, chunk);
    if ((holders & ~tombs) === 0) spared |= holders;
  }
  let rows = 0;
  for (let pack = 0; pack < packsMax; pack++) {
    const byte = state[packOf(pack)]!;
    if (has('packs of sessions stay') && isOwned(byte, alive)) spared |= 1 << pack;
    const isUnlisted = packs & ~listed & ~tombs & (1 << pack);
    if (isUnlisted && chunksIn(byte) & live && ownerIn(byte) !== party + 1) rows |= 1 << pack;
  }
  const going = tombs & ~spared;
  return { tombs: going, rows: has('what is kept is listed') ? rows : 0, oldParts: partsToGo(view, going) };
}

function holdersOf(state: State, packs: number, chunk: number): number {
  let holders = 0;
  for (let pack = 0; pack < packsMax; pack++)
    if (packs & (1 << pack) && chunksIn(state[packOf(pack)]!) & chunk) holders |= 1 << pack;
  return holders;
}

/** Replaced parts of which every row is in a part that stays, or is of a pack that goes. */
function partsToGo({ state, has, rowsOfPart }: View, going: number): number {
  const proposed = state[gc.oldParts]! & state[partsThere]!;
  if (!has('parts stay unless elsewhere')) return proposed;
  const elsewhere = listedIn(state, state[partsThere]! & ~proposed) | going | state[gc.swept]!;
  let parts = 0;
  for (let part = 0; part < partsMax; part++)
    if (proposed & (1 << part) && (rowsOfPart(part) & ~elsewhere) === 0) parts |= 1 << part;
  return parts;
}
