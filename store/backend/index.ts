export {
  type Backend,
  type CallOptions,
  type GetOptions,
  isObjectName,
  type ListedObject,
  type PutOptions,
} from './backend.ts';
export { type LocalBackendOptions, openLocalBackend } from './local.ts';
export { type MemoryBackend, type MemoryObjects, memoryBackend } from './memory.ts';
