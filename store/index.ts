export type { ChunkClass, ChunkSink, ChunkSource, Content, Entry, Extent, ListingRoot } from './content.ts';
export { inlineBytesMax } from './content.ts';
export type { ErrorDetails, StoreErrorCode } from './errors.ts';
export { isStoreError, StillpointError, storeError } from './errors.ts';
export type { ChunkId, PackId, SessionId, SnapshotId, StoreId } from './ids.ts';
export { fromHex, hex } from './ids.ts';
export type { Clock, Randomness, Seams } from './seams.ts';
export { systemClock, systemSeams } from './seams.ts';
