export { ListingBuilder } from './build.ts';
export { extentsOf, storeExtents } from './extents.ts';
export type { Branch, Node, Span } from './node.ts';
export { decodeNode, encodeNode, extentLength, refsOfNode } from './node.ts';
export { findEntry, type ReadListingOptions, readListing } from './read.ts';
