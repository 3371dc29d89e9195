export { ListingBuilder } from './build.ts';
export { ListingCursor } from './cursor.ts';
export { decodeNode, refsOfNode } from './decode.ts';
export { type Difference, diffListings, sameContent } from './diff.ts';
export { encodeNode } from './encode.ts';
export { extentsOf, storeExtents } from './extents.ts';
export type { Branch, Node, Span } from './node.ts';
export { extentLength } from './node.ts';
export {
  findEntry,
  type ListedNode,
  type ListingStep,
  type ReadListingOptions,
  readListing,
  readListingNodes,
  readListingShape,
} from './read.ts';
export { type ContentSpace, contentSpace } from './space.ts';
