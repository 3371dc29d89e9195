export type {
  Backend,
  CallOptions,
  GetOptions,
  LeftoverOptions,
  ListedObject,
  PutOptions,
} from './backend.ts';
export { type LocalBackendOptions, openLocalBackend } from './local.ts';
export { type MemoryBackend, type MemoryObjects, memoryBackend } from './memory.ts';
