export { type Backend, type MemoryBackend, memoryBackend, openLocalBackend } from './backend/index.ts';
export type { BackupSession, NewManifest, Written } from './backup-session.ts';
export { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
export { type Fields, fieldsOf } from './cbor-fields.ts';
export type { ChunkPlace, FramePlace } from './chunk-index/chunk-index.ts';
export type { StoreProblem } from './chunk-index/masks.ts';
export { loadZstd } from './compress.ts';
export type {
  ChunkClass,
  ChunkRef,
  ChunkSink,
  ChunkSource,
  Content,
  Entry,
  Extent,
  ListingRoot,
} from './content.ts';
export { inlineBytesMax } from './content.ts';
export { type FoundDamage, recordDamage } from './damage.ts';
export { syncFolderOf, writeDurably } from './durable.ts';
export type { ErrorDetails, StoreErrorCode } from './errors.ts';
export { isBeyondUs, isStoreError, StillpointError, storeError } from './errors.ts';
export { type ForgetOptions, forgetSnapshot, forgetSnapshots } from './forget.ts';
export { readHolds, type SetHoldOptions, setHold } from './holds.ts';
export { dismissWriteOnlyHost, newWriteOnlyHost, oldHostKey, renewWriteOnlyHost } from './hosts.ts';
export type { ChunkId, PackId, SessionId, SnapshotId, StoreId } from './ids.ts';
export { fromHex, hex } from './ids.ts';
export type {
  Kdf,
  KeyHost,
  KeySlot,
  KeysReport,
  NewHost,
  NewSlot,
  Rotated,
  RotateOptions,
} from './keys/index.ts';
export {
  addKeySlot,
  changePassphrase,
  readKeys,
  removeKeySlot,
  rotateKeys,
  slotNamed,
} from './keys.ts';
export { appendLedger, type Ledger, type NewLedgerAct, readLedger } from './ledger.ts';
export {
  type ContentSpace,
  contentSpace,
  type Difference,
  diffListings,
  extentsOf,
  findEntry,
  type ListedNode,
  ListingBuilder,
  ListingCursor,
  type ListingStep,
  type ReadListingOptions,
  readListing,
  readListingNodes,
  readListingShape,
  refsOfNode,
  sameContent,
  storeExtents,
} from './listing/index.ts';
export type { Manifest } from './manifest.ts';
export type { SnapshotsOptions } from './manifests.ts';
export { isForbidden } from './medium-error.ts';
export { describeNative, type NativePart } from './native.ts';
export { loadRunOpener, type RunKeys, type RunOpener, type SealedRun } from './pack/run.ts';
export type { ParityOptions } from './parity/writer.ts';
export type { LedgerAct } from './protocol/records.ts';
export {
  type BeginPruneOptions,
  beginPrune,
  type IsTimeUp,
  type OtherSession,
  type Pending,
  type PruneSession,
  type Reclaimed,
  type ReclaimOptions,
  type ReclaimPhase,
  type ReclaimProgress,
} from './prune.ts';
export { type ExtentGap, type ListingGap, salvageExtents, salvageListing } from './repair/salvage.ts';
export {
  type BeginRepairOptions,
  beginRepair,
  type ForgottenLost,
  type HealedPack,
  type LeftDamage,
  type LostManifest,
  type Mended,
  type Rebuilt,
  type RecordedDamage,
  type RepairSession,
} from './repair.ts';
export type { RunReader } from './run-reader.ts';
export type { Clock, Randomness, Seams } from './seams.ts';
export { since1970, systemClock, systemSeams } from './seams.ts';
export { isNamed, problemsForWriters, whyWritersStop } from './state.ts';
export {
  type ClearPart,
  type CreateStoreOptions,
  createStore,
  type OpenAsHostOptions,
  type OpenStoreOptions,
  openStore,
  openStoreAsHost,
  type Store,
} from './store.ts';
export {
  type Amount,
  type Damage,
  type DamagedKind,
  type Scrub,
  type VerifyOptions,
  type VerifyPhase,
  type VerifyProgress,
  type VerifyResult,
  verifyStore,
} from './verify.ts';
export {
  type Contradiction,
  contradictions,
  decodeWitness,
  encodeWitness,
  keysContradiction,
  takeWitness,
  type Witness,
} from './witness.ts';
export { ownBufferOf, startWorkers, type WorkerPool } from './workers/pool.ts';
export { serveJobs } from './workers/serve.ts';
