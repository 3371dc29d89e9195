export {
  type Backend,
  type CallOptions,
  type GetOptions,
  isObjectName,
  type ListedObject,
  type PutOptions,
} from './backend.ts';
export { type MemoryBackend, type MemoryObjects, memoryBackend } from './memory.ts';
