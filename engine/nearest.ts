/** The known word with the fewest edits to get there, or undefined when none is near. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  return nearestFew(word, { known, most: 1 })[0];
}

/** The known words that are near, nearest first, at most so many. */
export function nearestFew(
  word: string,
  { known, most }: { readonly known: Iterable<string>; readonly most: number },
): string[] {
  const editsMax = Math.max(2, Math.floor(word.length / 2));
  const found: { readonly candidate: string; readonly edits: number }[] = [];
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) > editsMax) continue;
    const edits = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (edits > editsMax) continue;
    found.push({ candidate, edits });
    found.sort((a, b) => a.edits - b.edits).splice(most);
  }
  return found.map(({ candidate }) => candidate);
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
