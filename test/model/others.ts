import type { Moves } from './moves.ts';
import {
  committed,
  dropped,
  ended,
  going,
  idle,
  kind,
  type Layout,
  marked,
  type State,
  sessions,
  snapshotOf,
} from './world.ts';

const look = 1;
export const reading = 2;

/** A reader names its snapshot, looks whether it is still one, and reads until it ends. */
export function moveReader(state: State, index: number, { layout, has, emit }: Moves): undefined {
  const at = layout.readers[index]!;
  const bit = 1 << (layout.firstReader + index);
  const snapshot = snapshotOf(layout.configuration.readers[index]!);
  const isThere = (state[snapshot]! & kind) === committed && !(state[snapshot]! & marked);
  const next = (step: number, what: string, change?: (to: State) => void): undefined =>
    emit(state, `reader ${what}`, to => {
      to[at] = step;
      change?.(to);
    });
  const open = (to: State): void => {
    to[sessions]! |= bit;
  };
  const early = has('readers look after they named');
  switch (state[at]) {
    case idle:
      if (early) return next(look, 'opens a session that names its snapshot', open);
      return isThere ? next(look, 'finds its snapshot') : undefined;
    case look:
      if (!early) return next(reading, 'opens a session, and reads', open);
      if (isThere) return next(reading, 'finds its snapshot, and reads');
      return next(ended, 'finds no snapshot, and ends its session', close);
    case reading:
      next(ended, 'ends its session', close);
      if (layout.configuration.crashes) next(ended, 'dies');
      return;
    default:
      return;
  }
  function close(to: State): undefined {
    to[sessions]! &= ~bit;
  }
}

/**
 * Forgetting needs no party: somebody may at any time, and may die in the middle. What was marked before and is still there is
 * deleted in the same way by a prune, which lists what was forgotten and what sessions name after that.
 */
export function moveForgetter(state: State, { layout, has, emit }: Moves): undefined {
  for (let i = 0; i < layout.snapshotCount; i++) {
    if (!(layout.configuration.forgettable & (1 << i))) continue;
    const at = snapshotOf(i);
    const byte = state[at]!;
    const isSnapshot = (byte & kind) === committed;
    if (!has('marked before deleted')) {
      if (isSnapshot && !(byte & dropped))
        emit(state, `somebody deletes manifest ${i + 1}`, to => {
          to[at] = dropped;
        });
      continue;
    }
    if (isSnapshot && !(byte & marked))
      emit(state, `somebody marks snapshot ${i + 1} as forgotten`, to => {
        to[at] = byte | marked;
      });
    if (!isSnapshot || !(byte & marked)) continue;
    // Where nobody ever reads it this look would be one more step that shows nothing.
    const asks = has('nobody reads what goes') && layout.configuration.readers.includes(i);
    if (asks && !(byte & going) && !isRead(state, { layout, has, snapshot: i }))
      emit(state, `somebody sees that nobody reads snapshot ${i + 1}`, to => {
        to[at] = byte | going;
      });
    if (!asks || byte & going)
      emit(state, `somebody deletes manifest ${i + 1}`, to => {
        to[at] = byte & ~(kind | going);
      });
  }
}

/** Whether a session names it. */
function isRead(
  state: State,
  {
    layout,
    has,
    snapshot,
  }: { readonly layout: Layout; readonly has: Moves['has']; readonly snapshot: number },
): boolean {
  return (
    has('readers name') &&
    layout.configuration.readers.some(
      (read, i) => read === snapshot && (state[sessions]! & (1 << (layout.firstReader + i))) !== 0,
    )
  );
}
