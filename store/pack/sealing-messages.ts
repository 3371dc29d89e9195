import type { Codec } from './row.ts';
import type { FrameToSeal, PackKeys } from './sealing.ts';

/** Where bytes lie that both threads see. */
export interface SharedPlace {
  readonly buffer: SharedArrayBuffer;
  readonly at: number;
  readonly length: number;
}

export type SharedFrame = Omit<FrameToSeal, 'place'> & { readonly place: SharedPlace };

/** What a worker thread is asked to do; it answers each in its turn. */
export type SealingJob =
  | { readonly kind: 'encode'; readonly place: SharedPlace }
  | { readonly kind: 'seal'; readonly keys: PackKeys; readonly frames: readonly SharedFrame[] };

export type SealingAnswer =
  | { readonly kind: 'encoded'; readonly codec: Codec; readonly bytes: number }
  | { readonly kind: 'sealed' }
  /** Nothing can be counted on any more: the run must end. */
  | { readonly kind: 'failed'; readonly message: string; readonly remedy?: string | undefined };

/** Which implementations a worker thread takes: those of the thread that started it. */
export interface SealingWorkerData {
  readonly zstd: 'zstd-napi' | 'node' | 'wasm';
  readonly blake3: 'native' | 'wasm';
}
