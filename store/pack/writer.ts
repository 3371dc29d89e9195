import { breather } from '../breathe.ts';
import type { ChunkClass } from '../content.ts';
import type { StoreContext } from '../context.ts';
import type { ChunkId, SessionId } from '../ids.ts';
import { ParityWriter } from '../parity/writer.ts';
import { putOwn } from '../put-own.ts';
import { sealOverheadBytes } from '../seal/index.ts';
import {
  decodeFrame,
  type EncodedFrame,
  encodeFrame,
  type FrameChunk,
  sharedChunkBytesMax,
  sharedFrameBytesMax,
} from './frame.ts';
import { chunkKeyBytes, frameRawBytesMax, type PackRow } from './row.ts';
import { sealPack } from './seal-pack.ts';

/** A pack is closed when its frames reach this; one more frame fits in always. */
const packTargetBytes = 16 * 1024 * 1024;
/** One pack is sealed and written while one more may wait: with the two being filled, below 128 MiB. */
const packsUnderWayMax = 2;

/** A frame that is in no published pack yet: being filled, or ready to be sealed. */
interface Frame {
  raw: Uint8Array | undefined;
  rawBytes: number;
  readonly chunks: FrameChunk[];
  encoded: EncodedFrame | undefined;
}

interface PendingChunk {
  readonly frame: Frame;
  readonly offset: number;
  readonly length: number;
}

interface Fill {
  open: Frame | undefined;
  frames: Frame[];
  bytes: number;
}

export interface PackWriterOptions {
  readonly session: SessionId;
  /** A pack was written; its name is durable after the backend's next `sync`. */
  readonly onPublished: (row: PackRow, bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Gathers chunks in frames and frames in packs, one of each class at a time, and publishes a pack while the next is
 * filled. Knows only chunks that are not published yet. After a failure every call fails with it.
 */
export class PackWriter {
  readonly #context: StoreContext;
  readonly #options: PackWriterOptions;
  readonly #pending = new Map<string, PendingChunk>();
  readonly #fills: Record<ChunkClass, Fill> = { data: newFill(), metadata: newFill() };
  readonly #parity: ParityWriter | undefined;
  #underWay = 0;
  #tail: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;

  constructor(context: StoreContext, options: PackWriterOptions) {
    this.#context = context;
    this.#options = options;
    const { session, signal } = options;
    this.#parity = context.parity && new ParityWriter(context, { ...context.parity, session, signal });
  }

  has(id: ChunkId): boolean {
    return this.#pending.has(keyOf(id));
  }

  /** Whether another chunk would have to wait for packs to be written. */
  get isFull(): boolean {
    return this.#underWay >= packsUnderWayMax;
  }

  /** Resolves when there is room, or when writing failed. */
  async room(): Promise<void> {
    while (this.isFull) await this.#tail;
  }

  /** Takes a chunk at once; the caller has asked `has` and `isFull`. The bytes may be reused afterwards. */
  add(id: ChunkId, bytes: Uint8Array, chunkClass: ChunkClass): void {
    if (bytes.length === 0 || bytes.length > frameRawBytesMax)
      throw new RangeError(`Cannot store chunk: ${bytes.length} bytes, need 1 to ${frameRawBytesMax}`);
    this.check();
    const fill = this.#fills[chunkClass];
    if (bytes.length >= sharedChunkBytesMax) this.#addAlone(fill, id, bytes);
    else this.#addShared(fill, id, bytes);
    if (fill.bytes >= packTargetBytes) this.#handOff(chunkClass);
  }

  /** A copy of a chunk that is not published yet. */
  find(id: ChunkId): Uint8Array | undefined {
    const chunk = this.#pending.get(keyOf(id));
    if (chunk === undefined) return undefined;
    const { raw, encoded } = chunk.frame;
    const { zstd } = this.#context;
    const bytes = raw ?? decodeFrame(encoded!.bytes, encoded!, { zstd, subject: 'frame' });
    return new Uint8Array(bytes.subarray(chunk.offset, chunk.offset + chunk.length));
  }

  /** Publishes everything that was added before. */
  async flush(): Promise<void> {
    for (const chunkClass of ['data', 'metadata'] as const) {
      const fill = this.#fills[chunkClass];
      if (fill.open !== undefined) this.#closeFrame(fill);
      if (fill.frames.length > 0) this.#handOff(chunkClass);
    }
    await this.#tail;
    this.check();
  }

  /** Until it is resumed no parity is computed: for a time that counts. */
  pauseParity(): void {
    this.#parity?.pause();
  }

  resumeParity(): void {
    this.#parity?.resume();
  }

  /** Waits for the parity of what was published; never throws. */
  async settleParity(): Promise<void> {
    await this.#parity?.settle();
  }

  /** Ends with the first failure: after it nothing more is taken or published. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#options.signal?.throwIfAborted();
  }

  /** Waits for what is under way, publishes nothing more; never throws. */
  async stop(error: unknown): Promise<void> {
    this.#failure ??= { error };
    await this.#tail;
    await this.#parity?.stop();
  }

  #addAlone(fill: Fill, id: ChunkId, bytes: Uint8Array): void {
    const frame = newFrame();
    this.#place(frame, id, bytes.length);
    const encoded = encodeFrame(bytes, frame.chunks, this.#context.zstd);
    // What the caller may reuse is copied, unless compression did that already. (A Buffer's slice would be a view.)
    this.#ready(
      fill,
      frame,
      encoded.bytes === bytes ? { ...encoded, bytes: new Uint8Array(bytes) } : encoded,
    );
  }

  #addShared(fill: Fill, id: ChunkId, bytes: Uint8Array): void {
    if (fill.open !== undefined && fill.open.rawBytes + bytes.length > sharedFrameBytesMax)
      this.#closeFrame(fill);
    fill.open ??= newFrame(new Uint8Array(sharedFrameBytesMax));
    fill.open.raw!.set(bytes, fill.open.rawBytes);
    this.#place(fill.open, id, bytes.length);
  }

  #place(frame: Frame, id: ChunkId, length: number): void {
    this.#pending.set(keyOf(id), { frame, offset: frame.rawBytes, length });
    frame.chunks.push({ id, length });
    frame.rawBytes += length;
  }

  #closeFrame(fill: Fill): void {
    const frame = fill.open!;
    fill.open = undefined;
    this.#ready(
      fill,
      frame,
      encodeFrame(frame.raw!.subarray(0, frame.rawBytes), frame.chunks, this.#context.zstd),
    );
    frame.raw = undefined;
  }

  #ready(fill: Fill, frame: Frame, encoded: EncodedFrame): void {
    frame.encoded = encoded;
    fill.frames.push(frame);
    fill.bytes += encoded.bytes.length + sealOverheadBytes;
  }

  #handOff(chunkClass: ChunkClass): void {
    const { frames } = this.#fills[chunkClass];
    this.#fills[chunkClass] = { ...newFill(), open: this.#fills[chunkClass].open };
    this.#underWay += 1;
    this.#tail = this.#tail
      .then(async () => {
        if (this.#failure === undefined) await this.#publish(frames, chunkClass);
      })
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .then(() => {
        this.#underWay -= 1;
      });
  }

  async #publish(frames: readonly Frame[], chunkClass: ChunkClass): Promise<void> {
    const { session, signal, onPublished } = this.#options;
    const encoded = frames.map(frame => frame.encoded!);
    const sealed = await sealPack(this.#context, encoded, {
      session,
      chunkClass,
      breathe: breather(this.#context.seams.clock),
    });
    await putOwn(this.#context.backend, sealed, { sync: 'deferred', signal });
    onPublished(
      sealed.row,
      sealed.parts.reduce((sum, part) => sum + part.length, 0),
    );
    for (const frame of frames) for (const { id } of frame.chunks) this.#pending.delete(keyOf(id));
    await this.#parity?.add(sealed.row.pack, sealed.parts);
  }
}

function newFill(): Fill {
  return { open: undefined, frames: [], bytes: 0 };
}

function newFrame(raw?: Uint8Array): Frame {
  return { raw, rawBytes: 0, chunks: [], encoded: undefined };
}

function keyOf(id: ChunkId): string {
  return Buffer.from(id.buffer, id.byteOffset, chunkKeyBytes).toString('latin1');
}
