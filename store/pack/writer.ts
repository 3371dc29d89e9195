import type { ChunkClass } from '../content.ts';
import type { StoreContext } from '../context.ts';
import { copyBytes } from '../copy-bytes.ts';
import type { ChunkId, SessionId } from '../ids.ts';
import { ParityWriter } from '../parity/writer.ts';
import { putOwn } from '../put-own.ts';
import { sealLeadBytes, sealOverheadBytes } from '../seal/index.ts';
import { BlockPool, bytesOf, type Cell, Cells } from './cells.ts';
import { looksDense } from './dense.ts';
import { decodeFrame, sharedChunkBytesMax, sharedFrameBytesMax } from './frame.ts';
import { PendingChunks, PendingFrame } from './pending.ts';
import { frameRawBytesMax, type PackRow } from './row.ts';
import { planPack, sealTrailer } from './seal-pack.ts';
import { type Sealer, sealerHere, ThreadSealer } from './sealers.ts';

/** A pack is closed when its frames reach this; one more frame fits in always. */
const packTargetBytes = 16 * 1024 * 1024;
/** One is sealed, one written, and one waits for either: with two, filling waited for both. Below 128 MiB with those that are filled. */
const packsUnderWayMax = 3;
/** What may wait for a thread to compress it. */
const encodingBytesMax = 12 * 1024 * 1024;
/** Packs are closed early rather than take more; frames of odd sizes leave gaps between them. */
const memoryBytesMax = 112 * 1024 * 1024;
/** Below it starting a thread takes longer than the work: a backup of little starts none. */
const threadsFromBytes = 4 * 1024 * 1024;

/** What looks compressed already is kept apart and stored as it is: 5 % smaller than frames of both kinds. */
type FrameKind = 'dense' | 'loose';

interface Pack {
  readonly frames: PendingFrame[];
  /** As it will be sealed; what is not compressed yet counts whole. */
  bytes: number;
  /** Frames that are being compressed. */
  encoding: number;
}

interface Fill {
  readonly cells: Cells;
  readonly open: Record<FrameKind, PendingFrame | undefined>;
  pack: Pack;
}

interface SealedPack {
  readonly name: string;
  readonly row: PackRow;
  /** The object's bytes, in pieces. */
  readonly parts: readonly Uint8Array[];
}

export interface PackWriterOptions {
  readonly session: SessionId;
  /** A pack was written; its name is durable after the backend's next `sync`. */
  readonly onPublished: (row: PackRow, bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Gathers chunks in frames and frames in packs, one of each class at a time, and publishes a pack while the next is
 * filled. Compressing and sealing is a sealer's work, in threads once there is enough of it; names, keys and order are
 * chosen here, and written is here. Knows only chunks that are not published yet. After a failure every call fails with it.
 */
export class PackWriter {
  readonly #context: StoreContext;
  readonly #options: PackWriterOptions;
  readonly #pending = new PendingChunks();
  readonly #pool = new BlockPool();
  /** Where frames wait to be compressed. */
  readonly #waiting = new Cells(this.#pool);
  readonly #fills: Record<ChunkClass, Fill> = { data: newFill(this.#pool), metadata: newFill(this.#pool) };
  readonly #parity: ParityWriter | undefined;
  #sealer: Sealer;
  #hasThreads = false;
  #gatheredBytes = 0;
  #encodingBytes = 0;
  #underWay = 0;
  #tail: Promise<void> = Promise.resolve();
  #change: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(context: StoreContext, options: PackWriterOptions) {
    this.#context = context;
    this.#options = options;
    const { session, signal } = options;
    this.#sealer = sealerHere({ zstd: context.zstd, blake3: context.ring.blake3 }, context.seams.clock);
    this.#parity = context.parity && new ParityWriter(context, { ...context.parity, session, signal });
  }

  has(id: ChunkId): boolean {
    return this.#pending.has(id);
  }

  /** Whether another chunk would have to wait for packs to be written. */
  get isFull(): boolean {
    return (
      this.#failure === undefined &&
      (this.#underWay >= packsUnderWayMax || this.#encodingBytes >= encodingBytesMax)
    );
  }

  /** Resolves when there is room, or when writing failed. */
  async room(): Promise<void> {
    while (this.isFull) await this.#changed();
  }

  /** Takes a chunk at once; the caller has asked `has` and `isFull`. The bytes may be reused afterwards. */
  add(id: ChunkId, bytes: Uint8Array, chunkClass: ChunkClass): void {
    if (bytes.length === 0 || bytes.length > frameRawBytesMax)
      throw new RangeError(`Cannot store chunk: ${bytes.length} bytes, need 1 to ${frameRawBytesMax}`);
    this.check();
    const fill = this.#fills[chunkClass];
    const kind = chunkClass === 'data' && looksDense(bytes) ? 'dense' : 'loose';
    if (bytes.length >= sharedChunkBytesMax) {
      const frame = new PendingFrame(this.#cellFor(fill, kind, bytes.length), 1);
      this.#pending.add(frame, id, bytes);
      this.#close(fill, kind, frame);
    } else this.#pending.add(this.#sharedFrame(fill, kind, bytes.length), id, bytes);
    const { pack } = fill;
    const isMemoryFull = pack.frames.length > 0 && this.#pool.takenBytes >= memoryBytesMax;
    if (pack.bytes >= packTargetBytes || isMemoryFull) this.#handOff(chunkClass);
  }

  /** A copy of a chunk that is not published yet. */
  async find(id: ChunkId): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#pending.find(id);
      if (chunk === undefined) return undefined;
      const { frame, offset, length } = chunk;
      if (!frame.isBusy) return this.#rawOf(frame).slice(offset, offset + length);
      this.check();
      await this.#changed();
    }
  }

  /** Publishes everything that was added before. */
  async flush(): Promise<void> {
    for (const chunkClass of ['data', 'metadata'] as const) {
      const fill = this.#fills[chunkClass];
      for (const kind of ['dense', 'loose'] as const) this.#closeShared(fill, kind);
      if (fill.pack.frames.length > 0) this.#handOff(chunkClass);
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

  /** Ends the threads, once nothing more comes: what is not published by now never will be. Idempotent, never throws. */
  async end(): Promise<void> {
    await this.#sealer.end();
  }

  /** Ends with the first failure: after it nothing more is taken or published. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#options.signal?.throwIfAborted();
  }

  /** Waits for what is under way, publishes nothing more; never throws. */
  async stop(error: unknown): Promise<void> {
    this.#fail(error);
    await this.#sealer.end();
    await this.#tail;
    await this.#parity?.stop();
  }

  #cellFor(fill: Fill, kind: FrameKind, rawBytes: number): Cell {
    return (kind === 'dense' ? fill.cells : this.#waiting).take(rawBytes + sealOverheadBytes);
  }

  /** The open frame of a kind, where there is still room for so much. */
  #sharedFrame(fill: Fill, kind: FrameKind, bytes: number): PendingFrame {
    const open = fill.open[kind];
    if (open !== undefined && open.rawBytes + bytes <= sharedFrameBytesMax) return open;
    this.#closeShared(fill, kind);
    const frame = new PendingFrame(this.#cellFor(fill, kind, sharedFrameBytesMax), 32);
    fill.open[kind] = frame;
    return frame;
  }

  #closeShared(fill: Fill, kind: FrameKind): void {
    const frame = fill.open[kind];
    fill.open[kind] = undefined;
    if (frame !== undefined) this.#close(fill, kind, frame);
  }

  #close(fill: Fill, kind: FrameKind, frame: PendingFrame): void {
    frame.cell = { ...frame.cell, length: frame.rawBytes + sealOverheadBytes };
    fill.pack.frames.push(frame);
    fill.pack.bytes += frame.cell.length;
    this.#gatheredBytes += frame.rawBytes;
    if (this.#gatheredBytes >= threadsFromBytes) this.#startThreads();
    if (kind === 'loose') this.#encode(fill, frame);
  }

  #startThreads(): void {
    const { sealingThreads, zstd, ring } = this.#context;
    if (this.#hasThreads || sealingThreads === undefined || sealingThreads.max === 0) return;
    this.#hasThreads = true;
    const onFailure = (error: unknown) => this.#fail(error);
    this.#sealer = new ThreadSealer(sealingThreads, { tools: { zstd, blake3: ring.blake3 }, onFailure });
  }

  /** Afterwards the frame lies where the others of its pack do. */
  #encode({ cells, pack }: Fill, frame: PendingFrame): void {
    frame.isBusy = true;
    pack.encoding += 1;
    this.#encodingBytes += frame.rawBytes;
    this.#sealer.encode(frame.cell, ({ codec, bytes }) => {
      const { cell: from } = frame;
      const content = bytesOf(from).subarray(sealLeadBytes, sealLeadBytes + bytes);
      frame.cell = cells.take(bytes + sealOverheadBytes);
      copyBytes(content, bytesOf(frame.cell), sealLeadBytes);
      this.#waiting.free(from);
      frame.codec = codec;
      frame.bytes = bytes;
      frame.isBusy = false;
      pack.bytes -= frame.rawBytes - bytes;
      pack.encoding -= 1;
      this.#encodingBytes -= frame.rawBytes;
      this.#tell();
    });
  }

  #handOff(chunkClass: ChunkClass): void {
    const fill = this.#fills[chunkClass];
    const { pack } = fill;
    fill.pack = newPack();
    this.#underWay += 1;
    // Threads seal it while the one before is written; without them that would only keep others waiting.
    const early = this.#hasThreads ? this.#seal(pack, chunkClass) : undefined;
    early?.catch(() => undefined); // whoever publishes it hears of it
    this.#tail = this.#tail
      .then(async () => {
        if (this.#failure === undefined)
          await this.#publish(await (early ?? this.#seal(pack, chunkClass)), { pack, cells: fill.cells });
      })
      .catch((error: unknown) => this.#fail(error))
      .then(() => {
        this.#underWay -= 1;
        this.#tell();
      });
  }

  /** The random order is that of the pack: frames[i] is parts[i + 1]. */
  async #seal(pack: Pack, chunkClass: ChunkClass): Promise<SealedPack> {
    while (pack.encoding > 0 && this.#failure === undefined) await this.#changed();
    this.check();
    const { session } = this.#options;
    const plan = planPack(this.#context, pack.frames.length, { session, chunkClass });
    const frames = plan.order.map(from => pack.frames[from]!);
    for (const frame of frames) frame.isBusy = true;
    const listed = frames.map(({ cell, codec, bytes, rawBytes, chunks }, ordinal) => {
      return { cell, codec, bytes, rawBytes, ordinal, ...chunks };
    });
    await this.#sealer.seal(plan.keys, listed);
    const { row, parts } = sealTrailer(this.#context, plan, listed);
    for (const [ordinal, frame] of frames.entries()) {
      frame.sealed = { proof: plan.proof, ordinal };
      frame.isBusy = false;
    }
    this.#tell();
    return {
      name: plan.name,
      row,
      parts: [plan.seal.header, ...frames.map(({ cell }) => bytesOf(cell)), ...parts],
    };
  }

  async #publish(
    sealed: SealedPack,
    { pack, cells }: { readonly pack: Pack; readonly cells: Cells },
  ): Promise<void> {
    const { signal, onPublished } = this.#options;
    await putOwn(this.#context.backend, sealed, { sync: 'deferred', signal });
    onPublished(
      sealed.row,
      sealed.parts.reduce((sum, part) => sum + part.length, 0),
    );
    for (const frame of pack.frames) this.#pending.forget(frame);
    await this.#parity?.add(sealed.row.pack, sealed.parts);
    for (const frame of pack.frames) cells.free(frame.cell);
  }

  #rawOf({ cell, codec, bytes, rawBytes, sealed }: PendingFrame): Uint8Array {
    const place = bytesOf(cell);
    const content = sealed
      ? sealed.proof.open(BigInt(sealed.ordinal), place)
      : place.subarray(sealLeadBytes, sealLeadBytes + bytes);
    return decodeFrame(content, { codec, rawBytes }, { zstd: this.#context.zstd, subject: 'frame' });
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#tell();
  }

  /** Resolves when a frame was compressed or sealed, a pack published, or something failed. */
  #changed(): Promise<void> {
    if (this.#change === undefined) {
      let resolve = () => {};
      const promise = new Promise<void>(done => {
        resolve = done;
      });
      this.#change = { promise, resolve };
    }
    return this.#change.promise;
  }

  #tell(): void {
    const change = this.#change;
    this.#change = undefined;
    change?.resolve();
  }
}

function newFill(pool: BlockPool): Fill {
  return { cells: new Cells(pool), open: { dense: undefined, loose: undefined }, pack: newPack() };
}

function newPack(): Pack {
  return { frames: [], bytes: 0, encoding: 0 };
}
