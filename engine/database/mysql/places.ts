/** Past the last place. */
const end = 2n ** 48n;
const gap = 2n ** 32n;

/**
 * Places for the ranges of a table, in order: those that have one keep it, so that most keys of a listing stay as they
 * were; the others are spread between their neighbours. All get new ones where there is no room.
 */
export function assignPlaces(known: readonly (bigint | null)[]): bigint[] {
  return spread(known) ?? spread(known.map(() => null))!;
}

function spread(known: readonly (bigint | null)[]): bigint[] | undefined {
  const places: bigint[] = [];
  for (let i = 0; i < known.length; ) {
    const own = known[i]!;
    const before = places.at(-1) ?? 0n;
    if (own !== null) {
      if (own <= before) return undefined;
      places.push(own);
      i += 1;
      continue;
    }
    let next = i;
    while (next < known.length && known[next] === null) next += 1;
    const count = BigInt(next - i);
    const after = known[next] ?? (before + gap * (count + 1n) < end ? before + gap * (count + 1n) : end);
    const step = (after - before) / (count + 1n);
    if (step < 1n) return undefined;
    for (let n = 1n; n <= count; n += 1n) places.push(before + step * n);
    i = next;
  }
  return places;
}
