import type { Moves } from './moves.ts';
import {
  aborted,
  chunksIn,
  chunksOf,
  committed,
  decided,
  ended,
  freePack,
  gc,
  idle,
  intents,
  kind,
  listedIn,
  marked,
  none,
  packByte,
  packOf,
  packsMax,
  packsThere,
  partsThere,
  putPart,
  type State,
  sessions,
  snapshotOf,
  told,
  undecided,
  writerField as w,
} from './world.ts';

/** Where a writer stands: what it does next. */
const steps = {
  begin: idle,
  readGenerations: 1,
  readIndex: 2,
  chooseParent: 3,
  putPack: 4,
  putPart: 5,
  putIntent: 6,
  lookAgain: 7,
  readAgain: 8,
  listAgain: 9,
  judge: 10,
  veto: 11,
  commit: 12,
  retry: 13,
  removeIntent: 14,
  removeSession: 15,
  fail: 16,
  /** Of a mutant that commits first. */
  putPartLate: 17,
  /** Of one that looks first. */
  putIntentLate: 18,
} as const;

/** What is still at hand of what the index lists, as a reader of the index believes. */
function usable(
  state: State,
  { has }: Pick<Moves, 'has'>,
  { swept, parts }: { swept: number; parts: number },
): number {
  const listed = listedIn(state, parts);
  const present = has('packs are listed') ? packsThere(state) : 255;
  return listed & present & (has('swept packs are masked') ? ~swept : 255);
}

const stateOf = (state: State): number => state[gc.last]! * 3 + state[gc.open]!;
const tombsOf = (state: State): number => (state[gc.open] === undecided ? state[gc.tombs]! : 0);

/** All that a writer may do next. */
export function moveWriter(state: State, index: number, moves: Moves): undefined {
  const { layout, has, emit } = moves;
  const at = layout.writers[index]!;
  const pc = state[at + w.pc]!;
  const bit = 1 << index;
  if (pc === ended) return;
  const { needs, parent } = layout.configuration.writers[index]!;
  const mine = layout.configuration.snapshots.length + index;
  const who = `writer ${index + 1}`;
  const next = (step: number, what: string, change?: (to: State) => void): undefined =>
    emit(state, `${who} ${what}`, to => {
      to[at + w.pc] = step;
      change?.(to);
    });
  const forget = (to: State): void => {
    for (const field of [w.tombs, w.swept, w.chunks, w.pack, w.parts]) to[at + field] = 0;
  };
  if (layout.configuration.crashes && pc !== idle)
    next(ended, 'dies', to => {
      forget(to);
      to[at + w.seen] = 0;
      to[at + w.known] = 0;
    });
  const torn = layout.configuration.tornLists;
  switch (pc) {
    case steps.begin:
      return next(steps.readGenerations, 'opens a session', to => {
        to[sessions]! |= bit;
      });
    case steps.readGenerations:
      return next(steps.readIndex, 'reads the generations', to => {
        to[at + w.seen] = stateOf(state);
        to[at + w.tombs] = tombsOf(state);
        to[at + w.swept] = state[gc.swept]!;
        if (!has('all sweeps are read')) to[at + w.known] = state[gc.swept]!;
      });
    case steps.readIndex: {
      const swept = state[at + w.swept]!;
      let targets = usable(state, moves, { swept, parts: state[partsThere]! });
      if (has('nothing new depends on tombstoned packs')) targets &= ~state[at + w.tombs]!;
      const missing = needs & ~chunksOf(state, targets);
      return next(parent === undefined ? steps.putPack : steps.chooseParent, 'reads the index', to => {
        forget(to);
        to[at + w.chunks] = missing;
      });
    }
    case steps.chooseParent: {
      const byte = state[snapshotOf(parent!)]!;
      const isThere = (byte & kind) === committed && !(byte & marked);
      return next(steps.putPack, isThere ? 'takes over what its parent has' : 'finds no parent', to => {
        if (isThere) to[at + w.chunks]! &= ~layout.needs[parent!]!;
      });
    }
    case steps.putPack: {
      const chunks = state[at + w.chunks]!;
      if (chunks === 0) return next(steps.putIntent, 'has nothing to store');
      const place = has('names are used once') ? freePack(state) : samePack(state, chunks);
      if (place === undefined) return moves.full();
      return next(steps.putPart, 'puts a pack', to => {
        to[packOf(place)] = packByte(chunks, index + 1);
        to[at + w.chunks] = 0;
        to[at + w.pack] = 1 << place;
      });
    }
    case steps.putPart:
      if (!has('index before manifest')) return next(steps.putIntent, 'lists nothing yet');
      return next(steps.putIntent, 'lists it', to => {
        if (!putPart(to, state[at + w.pack]!, 0)) moves.full();
        to[at + w.pack] = 0;
      });
    case steps.putIntent:
      if (!has('intent first')) return next(steps.lookAgain, 'goes on without an intent');
      if (!has('look after intent')) return next(steps.lookAgain, 'puts its intent off');
      return next(has('look again') ? steps.lookAgain : steps.commit, 'creates its intent', to => {
        to[intents]! |= bit;
      });
    case steps.putIntentLate:
      return next(steps.commit, 'creates its intent', to => {
        to[intents]! |= bit;
      });
    case steps.lookAgain: {
      if (!has('look again')) return next(steps.commit, 'does not look again');
      const isQuiet = state[gc.open] === none && state[at + w.seen] === stateOf(state);
      return next(isQuiet ? afterLook(has) : steps.readAgain, 'looks at the generations again', to => {
        to[at + w.seen] = 0;
      });
    }
    case steps.readAgain:
      return next(torn ? steps.listAgain : steps.judge, 'reads the generations', to => {
        to[at + w.seen] = state[gc.last]!;
        to[at + w.tombs] = tombsOf(state);
        const known = state[at + w.known]! | (state[gc.open] === decided ? state[gc.sweep]! : 0);
        to[at + w.swept] = has('all sweeps are read') ? state[gc.swept]! : known;
      });
    case steps.listAgain:
      return next(steps.judge, 'begins to list the index', to => {
        to[at + w.parts] = state[partsThere]!;
      });
    case steps.judge: {
      // What comes or goes while it is listed is seen or not: none of it, or all as it is at the end.
      const seen = torn
        ? [state[at + w.parts]! & state[partsThere]!, state[partsThere]!]
        : [state[partsThere]!];
      for (const parts of new Set(seen)) judge(parts);
      return;
    }
    case steps.veto: {
      const mayDecide = state[gc.last] === state[at + w.seen] && state[gc.open] === undecided;
      return next(steps.readAgain, mayDecide ? 'vetoes' : 'vetoes too late', to => {
        to[at + w.seen] = 0;
        if (mayDecide) to[gc.open] = decided;
      });
    }
    case steps.commit:
    case steps.retry:
      return commit(pc === steps.retry);
    case steps.putPartLate:
      return next(steps.removeIntent, 'lists its pack', to => {
        if (state[at + w.pack] !== 0 && !putPart(to, state[at + w.pack]!, 0)) moves.full();
        to[at + w.pack] = 0;
      });
    case steps.fail:
    case steps.removeIntent:
      return next(steps.removeSession, 'removes its intent', to => {
        to[intents]! &= ~bit;
        to[at + w.known] = 0;
      });
    default:
      return next(ended, 'ends its session', to => {
        to[sessions]! &= ~bit;
      });
  }

  function judge(parts: number): undefined {
    const ok = usable(state, moves, { swept: state[at + w.swept]!, parts });
    const outside = chunksOf(state, ok & ~state[at + w.tombs]!);
    const anywhere = chunksOf(state, ok);
    let wanted: number = needs;
    if (!has('all that is reachable') && parent !== undefined) wanted &= ~layout.needs[parent]!;
    if ((wanted & ~anywhere) !== 0) return next(steps.fail, 'finds that something is gone', forget);
    const isQuiet = (wanted & ~outside) === 0;
    if (isQuiet) return next(afterLook(has), 'finds everything', forgetAll);
    if (!has('veto')) return next(afterLook(has), 'hopes for the best', forgetAll);
    next(steps.veto, 'finds tombstoned copies only', forget);
  }

  function forgetAll(to: State): undefined {
    forget(to);
    to[at + w.seen] = 0;
  }

  function commit(isRetried: boolean): undefined {
    const byte = state[snapshotOf(mine)]!;
    const success = has('index before manifest') ? steps.removeIntent : steps.putPartLate;
    const takes = (to: State): void => {
      to[snapshotOf(mine)] = (byte & ~kind) | committed;
    };
    const hears = (to: State): void => {
      to[told]! |= bit;
    };
    if ((byte & kind) === 0 || !has('create only')) {
      next(success, 'commits', to => {
        if ((byte & kind) === aborted) to[snapshotOf(mine)] = committed | 16;
        else takes(to);
        hears(to);
      });
      if (!layout.configuration.lostAnswers || isRetried) return;
      next(steps.retry, 'commits, and does not hear of it', takes);
      next(steps.retry, 'fails to commit', () => undefined);
      return;
    }
    if ((byte & kind) === committed) return next(success, 'finds its own manifest', hears);
    if (isRetried && !has('read back')) return next(success, 'takes the name for its own', hears);
    next(steps.fail, 'was declared dead');
  }

  function afterLook(on: Moves['has']): number {
    return on('look after intent') ? steps.commit : steps.putIntentLate;
  }
}

/** A pack of the same content, there or not; else a new place. */
function samePack(state: State, chunks: number): number | undefined {
  for (let pack = 0; pack < packsMax; pack++) {
    const byte = state[packOf(pack)]!;
    if (byte !== 0 && chunksIn(byte) === chunks) return pack;
  }
  return freePack(state);
}
