import type { ChunkSource, Content, Entry, Extent, ListingRoot } from '../content.ts';
import { ListingCursor } from './cursor.ts';
import { compareBytes } from './node.ts';
import type { Promised } from './read.ts';

/** An entry that two listings do not have in common, as it was and as it is; one of them may be missing. */
export type Difference =
  | { readonly before: Entry; readonly after: Entry }
  | { readonly before: Entry; readonly after?: never }
  | { readonly before?: never; readonly after: Entry };

/**
 * What differs between two listings, in key order. Nodes that both have are not read, and the rest one node a level at
 * a time, so memory and time go with what differs.
 */
export async function* diffListings(
  source: ChunkSource,
  { before, after }: { readonly before: ListingRoot; readonly after: ListingRoot },
): AsyncGenerator<Difference> {
  const [a, b] = [new ListingCursor(source, before), new ListingCursor(source, after)];
  for (;;) {
    const [left, right] = [a.head, b.head];
    if (left === undefined && right === undefined) return;
    if (left?.kind === 'node' && right?.kind === 'node') {
      if (isSameNode(left.node, right.node)) {
        a.skip();
        b.skip();
      } else {
        await openOne(a, b, { left: left.node, right: right.node });
      }
    } else if (left?.kind === 'node' && !isBelow(b, a.after)) {
      await a.open();
    } else if (right?.kind === 'node' && !isBelow(a, b.after)) {
      await b.open();
    } else {
      yield* step(a, b);
    }
  }
}

const isSameNode = (a: Promised, b: Promised): boolean =>
  a.level === b.level && a.entries === b.entries && compareBytes(a.node, b.node) === 0;

/** True when a cursor's entry comes before everything that the other's unread node may hold. */
const isBelow = ({ head }: ListingCursor, after: Uint8Array | undefined): boolean =>
  head?.kind === 'entry' && after !== undefined && compareBytes(head.entry.key, after) <= 0;

/** The node that ends first may be equal to nothing of the other; the higher one cannot be compared at all. */
async function openOne(
  a: ListingCursor,
  b: ListingCursor,
  { left, right }: { readonly left: Promised; readonly right: Promised },
): Promise<void> {
  if (left.level !== right.level) return left.level > right.level ? a.open() : b.open();
  const isLeftFirst =
    right.key === undefined || (left.key !== undefined && compareBytes(left.key, right.key) <= 0);
  return isLeftFirst ? a.open() : b.open();
}

/** At least one side is at an entry, and whatever the other is at does not come before it. */
function* step(a: ListingCursor, b: ListingCursor): Generator<Difference> {
  const before = a.head?.kind === 'entry' ? a.head.entry : undefined;
  const after = b.head?.kind === 'entry' ? b.head.entry : undefined;
  const order = before && after ? compareBytes(before.key, after.key) : before ? -1 : 1;
  if (before && order <= 0) a.skip();
  if (after && order >= 0) b.skip();
  if (before && after && order === 0) {
    if (!isSameEntry(before, after)) yield { before, after };
  } else if (before && order < 0) {
    yield { before };
  } else if (after) {
    yield { after };
  }
}

function isSameEntry(a: Entry, b: Entry): boolean {
  return (
    compareBytes(a.body, b.body) === 0 &&
    a.contents.length === b.contents.length &&
    a.contents.every((content, i) => sameContent(content, b.contents[i]!))
  );
}

/** Whether two contents are stored as the same extents. Equal bytes that were cut alike are. */
export function sameContent(a: Content, b: Content): boolean {
  if (a.length !== b.length) return false;
  if ('list' in a) return 'list' in b && compareBytes(a.list, b.list) === 0;
  return (
    'extents' in b &&
    a.extents.length === b.extents.length &&
    a.extents.every((extent, i) => isSameExtent(extent, b.extents[i]!))
  );
}

function isSameExtent(a: Extent, b: Extent): boolean {
  switch (a.kind) {
    case 'inline':
      return b.kind === 'inline' && compareBytes(a.bytes, b.bytes) === 0;
    case 'hole':
      return b.kind === 'hole' && a.length === b.length;
    case 'chunk':
      return (
        b.kind === 'chunk' && a.offset === b.offset && a.length === b.length && compareBytes(a.id, b.id) === 0
      );
    default:
      return a satisfies never;
  }
}
