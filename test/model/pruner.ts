import type { Moves } from './moves.ts';
import { type Plan, plan, roots, sweepOf, type View, viewFor } from './plan.ts';
import {
  aborted,
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
  prunerField as p,
  packByte,
  packOf,
  packsMax,
  partsMax,
  partsThere,
  putPart,
  type State,
  sessions,
  snapshotOf,
  undecided,
} from './world.ts';

/** Where a pruner stands. Looks have the same steps before a proposal and before a decision. */
const steps = {
  begin: idle,
  fence: 1,
  readGenerations: 2,
  intents: 3,
  manifests: 4,
  forgotten: 5,
  named: 6,
  alive: 7,
  plan: 8,
  putCopies: 9,
  listCopies: 10,
  propose: 11,
  resume: 12,
  decideIntents: 13,
  decideManifests: 14,
  decideForgotten: 15,
  decideNamed: 16,
  decideAlive: 17,
  decide: 18,
  listKept: 19,
  putSweep: 20,
  readParts: 21,
  putMerged: 22,
  compare: 23,
  delete: 24,
  done: 25,
  endSession: 26,
  lateCopies: 27,
  lateList: 28,
  deleteEarly: 29,
} as const;

/** All that a pruner may do next. Leases are always wrong: it takes anybody for dead at any time. */
export function movePruner(state: State, index: number, moves: Moves): undefined {
  const { layout, has, emit } = moves;
  const at = layout.pruners[index]!;
  const pc = state[at + p.pc]!;
  const party = layout.firstPruner + index;
  const bit = 1 << party;
  const { snapshots, generationsMax, crashes } = layout.configuration;
  if (pc === ended) return;
  const who = `pruner ${index + 1}`;
  const next = (step: number, what: string, change?: (to: State) => void): undefined =>
    emit(state, `${who} ${what}`, to => {
      to[at + p.pc] = step;
      change?.(to);
    });
  const forget = (to: State): void => {
    for (let field = p.generation; field <= p.named; field++) to[at + field] = 0;
  };
  if (crashes && pc !== idle && index < layout.configuration.pruners) next(ended, 'dies', forget);
  const generation = state[at + p.generation]!;
  const isOpen = state[gc.last] === generation && state[gc.open] !== none;
  const view: View = viewFor(state, moves, party);
  switch (pc) {
    case steps.begin:
      return next(steps.fence, 'opens a session', to => {
        to[sessions]! |= bit;
      });
    case steps.fence:
      fence();
      return next(steps.readGenerations, 'goes on');
    case steps.readGenerations: {
      if (state[gc.open] !== none)
        return next(steps.resume, 'finds an open generation', to => {
          to[at + p.generation] = state[gc.last]!;
        });
      const isLast = index < layout.configuration.pruners && state[gc.last]! >= generationsMax;
      if (isLast) return next(steps.endSession, 'has enough');
      return next(steps.intents + orderOf(has)[0]!, 'reads the generations', to => {
        forget(to);
        to[at + p.generation] = state[gc.last]! + 1;
      });
    }
    case steps.intents:
    case steps.decideIntents:
    case steps.manifests:
    case steps.decideManifests:
    case steps.forgotten:
    case steps.decideForgotten:
    case steps.named:
    case steps.decideNamed:
      return look();
    case steps.alive:
    case steps.decideAlive:
      return next(pc + 1, 'lists sessions', to => {
        to[at + p.sessions] = state[sessions]!;
      });
    case steps.plan:
      // Sessions are listed once more after the index.
      for (const made of plan(view, {
        live: state[at + p.live]!,
        alive: state[at + p.sessions]! | state[sessions]!,
        mayBeLess: layout.configuration.leaves === true,
      }))
        takePlan(made);
      return;
    case steps.putCopies:
    case steps.lateCopies: {
      const place = freePack(state);
      if (place === undefined) return moves.full();
      return next(pc === steps.putCopies ? steps.listCopies : steps.lateList, 'puts copies', to => {
        to[packOf(place)] = packByte(state[at + p.copies]!, party + 1);
        to[at + p.pack] = 1 << place;
        to[at + p.copies] = 0;
      });
    }
    case steps.listCopies:
    case steps.listKept:
    case steps.lateList: {
      const after = {
        [steps.listCopies]: steps.propose,
        [steps.listKept]: steps.putSweep,
        [steps.lateList]: steps.readParts,
      };
      return next(after[pc], 'lists packs', to => {
        if (!putPart(to, state[at + p.rows]! | state[at + p.pack]!, 0)) moves.full();
        to[at + p.rows] = 0;
        to[at + p.pack] = 0;
      });
    }
    case steps.propose:
      if (state[gc.last]! + 1 !== generation || state[gc.open] !== none)
        return next(steps.endSession, 'is not the first', forget);
      return next(has('decide again') ? steps.resume : steps.putSweep, 'creates a generation', to => {
        to[gc.last] = generation;
        to[gc.open] = undecided;
        to[gc.tombs] = state[at + p.tombs]!;
        to[gc.oldParts] = state[at + p.oldParts]!;
        if (has('decide again')) {
          to[at + p.tombs] = 0;
          to[at + p.oldParts] = 0;
        }
      });
    case steps.resume:
      if (!isOpen) return next(steps.readGenerations, 'finds its generation ended by another', forget);
      if (state[gc.open] === decided) return next(afterSweep(), 'finds its generation swept');
      if (!has('decide again'))
        return next(steps.putSweep, 'goes on', to => {
          to[at + p.tombs] = state[gc.tombs]!;
          to[at + p.oldParts] = state[gc.oldParts]!;
        });
      next(steps.decideIntents + orderOf(has)[0]!, 'decides again');
      if (!layout.configuration.damages) return;
      return next(steps.readParts, 'cannot read the generation, and ends it with an empty sweep', to => {
        to[gc.open] = decided;
      });
    case steps.decide:
      return decide();
    case steps.putSweep: {
      const overwrites = !has('the first sweep decides') && isOpen && state[gc.open] === decided;
      const wins = isOpen && (state[gc.open] === undecided || overwrites);
      return next(
        isOpen ? afterSweep() : steps.readGenerations,
        wins ? 'creates the sweep' : 'finds a sweep',
        to => {
          if (wins) {
            to[gc.open] = decided;
            to[gc.sweep] = state[at + p.tombs]!;
            to[gc.sweepParts] = state[at + p.oldParts]!;
            to[gc.swept]! |= state[at + p.tombs]!;
          }
          to[at + p.tombs] = 0;
          to[at + p.oldParts] = 0;
        },
      );
    }
    case steps.readParts:
      return readParts();
    case steps.putMerged:
      return next(steps.compare, 'puts a merged part', to => {
        const rows = state[at + p.pack]!;
        const lowest = rows & -rows;
        if (!putPart(to, has('merging keeps rows') ? rows : rows & ~lowest, state[at + p.replaces]!))
          moves.full();
        to[at + p.pack] = 0;
        to[at + p.replaces] = 0;
      });
    case steps.compare: {
      const stays = state[partsThere]! & ~(isOpen ? state[gc.sweepParts]! : 0);
      const lost = state[at + p.rows]! & ~listedIn(state, stays) & ~state[gc.swept]!;
      if (lost !== 0 && has('compare'))
        return next(steps.endSession, 'finds that the index lost something', forget);
      return next(deletesFrom(), 'compares', to => {
        to[at + p.rows] = 0;
      });
    }
    case steps.deleteEarly:
    case steps.delete:
      return deleteNext();
    case steps.done:
      if (!isOpen) return next(steps.readGenerations, 'finds its generation done', forget);
      return next(
        has('done after deletes') ? steps.readGenerations : steps.delete,
        'creates the done record',
        to => {
          if (has('done after deletes')) forget(to);
          to[gc.open] = none;
          for (const field of [gc.tombs, gc.oldParts, gc.sweep, gc.sweepParts]) to[field] = 0;
        },
      );
    default:
      return next(ended, 'ends its session', to => {
        forget(to);
        to[sessions]! &= ~bit;
      });
  }

  function fence(): undefined {
    for (let i = 0; i < layout.writers.length; i++) {
      if (!(state[intents]! & (1 << i))) continue;
      const place = snapshotOf(snapshots.length + i);
      const byte = state[place]!;
      if ((byte & kind) === 0)
        emit(state, `${who} aborts writer ${i + 1}`, to => {
          to[place] = byte | aborted;
        });
      if ((byte & (kind | marked)) !== 0 || !has('aborted before the intent goes'))
        emit(state, `${who} removes the intent of writer ${i + 1}`, to => {
          to[intents]! &= ~(1 << i);
        });
    }
    for (let other = 0; other < layout.firstPruner + layout.pruners.length; other++)
      if (other !== party && state[sessions]! & (1 << other))
        emit(state, `${who} removes the session of party ${other + 1}`, to => {
          to[sessions]! &= ~(1 << other);
        });
  }

  /** Intents, manifests, forgotten, what sessions name; a step each, in the order that the rules give. */
  function look(): undefined {
    const isDecision = pc >= steps.decideIntents;
    const base = isDecision ? steps.decideIntents : steps.intents;
    const order = orderOf(has);
    const place = order.indexOf(pc - base);
    const after =
      place + 1 < order.length ? base + order[place + 1]! : isDecision ? steps.decideAlive : steps.alive;
    const isFinal = place + 1 === order.length;
    const list = (what: string, change: (to: State) => void): undefined => {
      let isWhole = true;
      const finish = (to: State): void => {
        change(to);
        if (!isFinal) return;
        const found = roots(layout, { has, to, at });
        isWhole = found !== undefined;
        for (const field of [p.intents, p.manifests, p.forgotten, p.named]) to[at + field] = 0;
        to[at + p.live] = found ?? 0;
      };
      finish(Uint8Array.from(state));
      if (isWhole) next(after, `lists ${what}`, finish);
      else next(steps.endSession, 'finds a session that reads what is neither there nor forgotten', forget);
    };
    switch (pc - base) {
      case 0:
        list('intents', to => {
          to[at + p.intents] = has('intents count') ? state[intents]! : 0;
        });
        // It may have called them dead before; who is right about that is nothing that a decision rests on.
        if (isDecision || state[intents] === 0) return;
        return list('the intents of others than the dead', () => undefined);
      case 1:
        return list('manifests', to => {
          for (let i = 0; i < layout.snapshotCount; i++) {
            const what = state[snapshotOf(i)]! & kind;
            if (what === committed) to[at + p.manifests]! |= 1 << i;
            if (what === aborted) to[at + p.intents]! &= ~(1 << (i - snapshots.length));
          }
        });
      case 2:
        return list('what was forgotten', to => {
          for (let i = 0; i < layout.snapshotCount; i++)
            if (state[snapshotOf(i)]! & marked) to[at + p.forgotten]! |= 1 << i;
        });
      default:
        return list('what sessions name', to => {
          if (!has('readers count') || !has('readers name')) return;
          for (let i = 0; i < layout.readers.length; i++)
            if (state[sessions]! & (1 << (layout.firstReader + i)))
              to[at + p.named]! |= 1 << layout.configuration.readers[i]!;
        });
    }
  }

  function takePlan({ tombs, copies, rows, oldParts }: Plan): undefined {
    const isNothing = tombs === 0 && oldParts === 0;
    const copiesFirst = copies !== 0 && has('copies first');
    const first = copiesFirst ? steps.putCopies : rows !== 0 ? steps.listCopies : steps.propose;
    next(isNothing && rows === 0 ? steps.endSession : first, 'plans', to => {
      forget(to);
      if (isNothing && rows === 0) return;
      to[at + p.generation] = isNothing ? 255 : generation; // lists, and proposes nothing
      to[at + p.tombs] = tombs;
      to[at + p.copies] = copies;
      to[at + p.rows] = rows;
      to[at + p.oldParts] = oldParts;
    });
  }

  function decide(): undefined {
    const { tombs, rows, oldParts } = sweepOf(view, {
      live: state[at + p.live]!,
      alive: state[at + p.sessions]!,
      promised: has('copies first') ? 0 : state[at + p.copies]!,
    });
    next(rows !== 0 ? steps.listKept : steps.putSweep, 'decides', to => {
      to[at + p.live] = 0;
      to[at + p.sessions] = 0;
      to[at + p.tombs] = tombs;
      to[at + p.oldParts] = oldParts;
      to[at + p.rows] = rows;
    });
  }

  function afterSweep(): number {
    if (!has('new parts before deletes')) return steps.deleteEarly;
    return state[at + p.copies] !== 0 ? steps.lateCopies : steps.readParts;
  }

  function deletesFrom(): number {
    return has('done after deletes') ? steps.delete : steps.done;
  }

  function readParts(): undefined {
    const there = state[partsThere]!;
    const going = isOpen ? state[gc.sweepParts]! : 0;
    const swept = state[gc.swept]!;
    const { replaced, rowsOfPart } = view;
    let chosen = 0;
    let rows = 0;
    for (let part = 0; part < partsMax; part++) {
      const isCurrent = there & (1 << part) && !((going | replaced) & (1 << part));
      if (!isCurrent || !(rowsOfPart(part) & swept)) continue;
      chosen |= 1 << part;
      rows |= rowsOfPart(part);
    }
    if (chosen === 0 && going === 0) return next(deletesFrom(), 'has no part to merge');
    next(chosen === 0 ? steps.compare : steps.putMerged, 'reads the index parts', to => {
      to[at + p.rows] = listedIn(state, there) & ~swept;
      to[at + p.pack] = rows & ~swept;
      to[at + p.replaces] = chosen;
    });
  }

  /** One object a step. */
  function deleteNext(): undefined {
    const sweep = has('done after deletes') ? (isOpen ? state[gc.sweep]! : 0) : state[gc.swept]!;
    const oldParts = isOpen ? state[gc.sweepParts]! & state[partsThere]! : 0;
    const early = pc === steps.deleteEarly ? view.listing(state[gc.swept]!) : 0;
    const parts = oldParts | early;
    const packs = view.there & sweep;
    const deletePacks = (): undefined => {
      for (let pack = 0; pack < packsMax; pack++)
        if (packs & (1 << pack))
          next(pc, 'deletes a pack', to => {
            to[packOf(pack)]! &= 7;
          });
    };
    if (packs !== 0 && !has('index parts before packs')) return deletePacks();
    for (let part = 0; part < partsMax; part++)
      if (parts & (1 << part))
        next(pc, 'deletes an index part', to => {
          if (pc === steps.deleteEarly) to[at + p.pack]! |= view.rowsOfPart(part) & ~state[gc.swept]!;
          to[partsThere]! &= ~(1 << part);
        });
    if (parts !== 0) return;
    if (packs !== 0) return deletePacks();
    if (pc === steps.deleteEarly && state[at + p.pack] !== 0)
      return next(steps.putMerged, 'has deleted the old parts');
    next(has('done after deletes') ? steps.done : steps.readGenerations, 'has deleted all');
  }
}

/** Intents, manifests, forgotten, what sessions name, by their numbers. */
function orderOf(has: Moves['has']): readonly number[] {
  if (!has('intents before manifests')) return [1, 0, 2, 3];
  if (!has('sessions after forgotten')) return [3, 0, 1, 2];
  return [0, 1, 2, 3];
}
