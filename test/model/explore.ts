import { makeCanonical } from './canonical.ts';
import type { Moves } from './moves.ts';
import { moveForgetter, moveReader, reading } from './others.ts';
import { movePruner } from './pruner.ts';
import type { Configuration, Rule } from './rules.ts';
import { StateTable } from './state-table.ts';
import {
  aborted,
  chunksOf,
  committed,
  dropped,
  ended,
  firstState,
  gc,
  kind,
  type Layout,
  layoutOf,
  listedIn,
  marked,
  none,
  packsThere,
  partsThere,
  type State,
  sessions,
  snapshotOf,
  told,
} from './world.ts';
import { moveWriter } from './writer.ts';

export interface ExploreOptions {
  /** Rules that do not hold. */
  readonly without?: readonly Rule[];
  /** Ends there, wherever it is. */
  readonly statesMax?: number;
  /** Of so many states one is brought to its end by a pruner that is alone, to see that it can. Default 256. */
  readonly endsEvery?: number;
}

export interface Explored {
  readonly states: number;
  readonly steps: number;
  /** The longest shortest way to a state. */
  readonly depth: number;
  /** Nothing is left that was not looked at. */
  readonly isWhole: boolean;
  /** Steps that the world had no room for. */
  readonly cut: number;
  /** Snapshots that some state has committed, so that silence is not emptiness. */
  readonly commits: number;
  readonly sweeps: number;
  readonly violation: { readonly what: string; readonly trace: readonly string[] } | undefined;
}

interface Emitted {
  readonly what: string;
  readonly state: State;
}

/** Every state that any order of steps reaches, nearest first, until one breaks what always holds. */
export function explore(configuration: Configuration, options: ExploreOptions = {}): Explored {
  const { without = [], statesMax = Number.POSITIVE_INFINITY, endsEvery = 256 } = options;
  const off = new Set(without);
  const layout = layoutOf(configuration);
  const canonical = makeCanonical(layout, { forgetsNames: !off.has('names are used once') });
  const emitted: Emitted[] = [];
  let cut = 0;
  const moves: Moves = {
    layout,
    has: rule => !off.has(rule),
    emit(from, what, change) {
      const state = from.slice();
      const before = cut;
      change(state);
      if (cut === before) emitted.push({ what, state });
    },
    full() {
      cut += 1;
    },
  };
  const table = new StateTable(layout.bytes);
  table.add(firstState(layout), -1);
  let steps = 0;
  let commits = 0;
  let sweeps = 0;
  let violation: Explored['violation'];
  let at = 0;
  let depth = 0;
  let levelEnd = 1;
  for (; at < table.count && violation === undefined && table.count < statesMax; at++) {
    if (at === levelEnd) {
      depth += 1;
      levelEnd = table.count;
    }
    const state = table.get(at).slice();
    emitted.length = 0;
    moveAll(state, moves);
    for (const { state: next } of emitted) {
      steps += 1;
      canonical(next);
      if (!table.add(next, at)) continue;
      commits += next[told] !== 0 ? 1 : 0;
      sweeps += next[gc.swept] !== 0 ? 1 : 0;
      const what =
        broken(layout, next) ??
        (off.size === 0 && table.count % endsEvery === 0
          ? stuck(next, moves, { emitted, canonical })
          : undefined);
      if (what === undefined) continue;
      violation = { what, trace: traceOf(table, moves, { emitted, canonical }) };
      break;
    }
  }
  const isWhole = violation === undefined && at === table.count;
  return { states: table.count, steps, depth, isWhole, cut, commits, sweeps, violation };
}

function moveAll(state: State, moves: Moves): void {
  const { configuration } = moves.layout;
  moveForgetter(state, moves);
  for (let i = 0; i < configuration.writers.length; i++) moveWriter(state, i, moves);
  for (let i = 0; i < configuration.readers.length; i++) moveReader(state, i, moves);
  for (let i = 0; i < configuration.pruners; i++) movePruner(state, i, moves);
}

/** What a state has that none may have. */
function broken(layout: Layout, state: State): string | undefined {
  const swept = state[gc.swept]!;
  const there = packsThere(state);
  const listed = listedIn(state, state[partsThere]!) & ~swept;
  if ((listed & ~there) !== 0)
    return 'the index lists a pack that is not there, and nothing says that it was swept';
  const chunks = chunksOf(state, listed & there);
  for (let i = 0; i < layout.snapshotCount; i++) {
    const byte = state[snapshotOf(i)]!;
    if (byte & 16) return `snapshot ${i + 1} was committed after it had been aborted`;
    if ((byte & kind) === committed && !(byte & marked) && (layout.needs[i]! & ~chunks) !== 0)
      return `snapshot ${i + 1} lost a chunk`;
  }
  for (let i = 0; i < layout.writers.length; i++) {
    const byte = state[snapshotOf(layout.configuration.snapshots.length + i)]!;
    if (!(state[told]! & (1 << i))) continue;
    if ((byte & kind) === aborted && !(byte & (marked | dropped)))
      return `writer ${i + 1} heard of a snapshot that was aborted`;
    if ((byte & kind) === 0 && !(byte & (marked | dropped)))
      return `snapshot ${i + 1} is gone and nobody forgot it`;
  }
  for (let i = 0; i < layout.readers.length; i++) {
    const isAlive = (state[sessions]! & (1 << (layout.firstReader + i))) !== 0;
    const needs = layout.needs[layout.configuration.readers[i]!]!;
    if (state[layout.readers[i]!] === reading && isAlive && (needs & ~chunks) !== 0)
      return 'a reader cannot read what it named';
  }
  return undefined;
}

interface Tools {
  readonly emitted: Emitted[];
  readonly canonical: (state: State) => void;
}

const stepsMax = 400;

/** Progress: whatever was left, one pruner alone ends it, and then nothing is there that nobody needs. */
function stuck(from: State, moves: Moves, { canonical }: Tools): string | undefined {
  const { layout } = moves;
  const last = layout.configuration.pruners;
  const at = layout.pruners[last]!;
  const found: Emitted[] = [];
  const alone: Moves = { ...moves, emit: (state, what, change) => emitInto(found, { state, what, change }) };
  let state = from;
  for (let round = 0, steps = 0; round < 3; steps++) {
    if (steps > stepsMax) return 'a pruner alone does not come to an end';
    found.length = 0;
    movePruner(state, last, alone);
    const [next] = found;
    if (next === undefined) return 'a pruner alone cannot go on';
    state = next.state;
    canonical(state);
    const what = broken(layout, state);
    if (what !== undefined) return `${what}, when a pruner put things in order`;
    if (state[at] !== ended) continue;
    state[at] = 0;
    round += 1;
  }
  if (state[gc.open] !== none) return 'a pruner alone leaves a generation open';
  return hasGarbage(layout, state) ? 'a pruner alone leaves what nobody needs' : undefined;
}

function emitInto(
  found: Emitted[],
  { state, what, change }: { state: State; what: string; change: (to: State) => void },
): undefined {
  if (found.length > 0) return;
  const to = state.slice();
  change(to);
  found.push({ what, state: to });
}

function hasGarbage(layout: Layout, state: State): boolean {
  let live = 0;
  for (let i = 0; i < layout.snapshotCount; i++) {
    const byte = state[snapshotOf(i)]!;
    if ((byte & kind) === committed && !(byte & marked)) live |= layout.needs[i]!;
  }
  const there = packsThere(state);
  for (let pack = 1; pack <= there; pack <<= 1)
    if (there & pack && (chunksOf(state, pack) & live) === 0) return true;
  return false;
}

/** From the beginning to the last state that was added. */
function traceOf(table: StateTable, moves: Moves, { emitted, canonical }: Tools): string[] {
  const trace: string[] = [];
  for (let child = table.count - 1; table.parentOf(child) >= 0; child = table.parentOf(child)) {
    const parent = table.get(table.parentOf(child)).slice();
    emitted.length = 0;
    moveAll(parent, moves);
    const wanted = Buffer.from(table.get(child));
    const step = emitted.find(({ state }) => {
      canonical(state);
      return wanted.equals(state);
    });
    trace.push(step?.what ?? 'something');
  }
  return trace.reverse();
}
