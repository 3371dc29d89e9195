import type { SnapshotId } from '../store/index.ts';
import type { Snapshot } from './pair.ts';

interface Placed {
  readonly snapshot: Snapshot;
  /** What stands right after it, in this order. */
  readonly after: Placed[];
}

/**
 * Snapshots in the store's order; but what is left of one was committed later than that, and stands where it stood: after it
 * and what else is left of it, else before the first of its instance that says to be later. In n log n steps.
 */
export function inPlace(snapshots: readonly Snapshot[]): Snapshot[] {
  const whole = snapshots.filter(({ degraded }) => degraded === undefined).map(placedAt);
  /** The last that is of a snapshot: itself, or what is left of it. */
  const lastOf = new Map<SnapshotId, Placed>(whole.map(one => [one.snapshot.id, one]));
  const firstLater = laterIn(whole);
  const before = new Map<number, Placed[]>();
  for (const snapshot of snapshots) {
    if (snapshot.degraded === undefined) continue;
    const { of } = snapshot.degraded;
    const one = placedAt(snapshot);
    const last = lastOf.get(of);
    if (last !== undefined) last.after.unshift(one);
    else {
      const place = firstLater(snapshot);
      const there = before.get(place);
      if (there === undefined) before.set(place, [one]);
      else there.push(one);
    }
    lastOf.set(of, one);
    if (!lastOf.has(snapshot.id)) lastOf.set(snapshot.id, one);
  }
  const ordered: Snapshot[] = [];
  for (let place = 0; place <= whole.length; place++) {
    const here = [...(before.get(place) ?? [])].sort((a, b) => a.snapshot.timeMs - b.snapshot.timeMs);
    const stack = [...here, ...whole.slice(place, place + 1)].reverse();
    for (let one = stack.pop(); one !== undefined; one = stack.pop()) {
      ordered.push(one.snapshot);
      stack.push(...one.after.toReversed());
    }
  }
  return ordered;
}

const placedAt = (snapshot: Snapshot): Placed => ({ snapshot, after: [] });

/** Tells where the first of the same instance is that says to be later; past the end without one. */
function laterIn(whole: readonly Placed[]): (snapshot: Snapshot) => number {
  /** Of each instance the places at which its latest time so far grows. */
  const risesOf = new Map<string, { readonly place: number; readonly timeMs: number }[]>();
  for (const [place, { snapshot }] of whole.entries()) {
    const rises = risesOf.get(snapshot.instance) ?? [];
    if (rises.length === 0 || snapshot.timeMs > rises.at(-1)!.timeMs)
      rises.push({ place, timeMs: snapshot.timeMs });
    risesOf.set(snapshot.instance, rises);
  }
  return ({ instance, timeMs }) => {
    const rises = risesOf.get(instance) ?? [];
    let [from, to] = [0, rises.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (rises[middle]!.timeMs > timeMs) to = middle;
      else from = middle + 1;
    }
    return rises[from]?.place ?? whole.length;
  };
}
