import { availableParallelism } from 'node:os';
import {
  type ChunkPlace,
  type FramePlace,
  type RunReader,
  type SealedRun,
  startWorkers,
  type WorkerPool,
} from '../../../store/index.ts';
import { engineError } from '../../errors.ts';
import { naming } from '../../naming.ts';
import { type BytePath, shown } from '../paths.ts';
import type { Libc } from '../system/libc.ts';
import type { MetadataWriter } from './metadata.ts';
import { targetError } from './target.ts';
import type { ChunkExtent } from './write-content.ts';
import {
  buffersOf,
  JobWriter,
  type Piece,
  runWriteJob,
  type WriteAnswer,
  type WriteJob,
} from './write-job.ts';

/** A piece that waits for the frame it lies in. */
export interface WaitingPiece extends Piece {
  /** For messages. */
  readonly path: BytePath;
  /** Writes it from what the store finds, whatever it takes. */
  otherwise(): Promise<void>;
  /** It is written. */
  done(): void;
}

export interface WriteAheadOptions {
  readonly runs: RunReader;
  readonly libc: Libc | undefined;
  readonly metadata: MetadataWriter;
  /** Beside this one; 0: this one does all. Unless given: one less than there are processors, once there is much to do. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Frames of which all is wanted go as soon as there are so many bytes of them. */
const readyBytesMin = 2 * 1024 * 1024;
/** Frames before compression, and pieces, that wait for more of the same frame. */
const waitingBytesMax = 48 * 1024 * 1024;
const waitingPiecesMax = 4096;
/** Frames of a pack are read together up to so many bytes. */
const runBytesMax = 2 * 1024 * 1024;
/** Sealed bytes that are being read or written. */
const underWayBytesMax = 16 * 1024 * 1024;
/** Starting threads takes as long as writing some MiB. */
const threadsFromBytes = 8 * 1024 * 1024;
/** So many wait for a thread while this one walks on; what comes then is done here. */
const jobsOfThread = 8;

interface PlannedFrame {
  readonly place: FramePlace;
  readonly pieces: WaitingPiece[];
  wantedBytes: number;
  isReady: boolean;
}

/**
 * Writes files in the order in which their bytes lie in the store, each frame read once: pieces wait until all of a frame
 * is asked for, or until too many wait. What is opened, checked and written is shared with threads.
 */
export class WriteAhead implements AsyncDisposable {
  readonly #options: WriteAheadOptions;
  /** By the index's numbers of frames, which are others once it was loaded again. */
  readonly #planned = new Map<number, PlannedFrame>();
  readonly #ready: PlannedFrame[] = [];
  readonly #underWay = new Set<Promise<void>>();
  /** Frames that were read. */
  readonly #read = new Set<number>();
  #pool: WorkerPool<WriteJob, WriteAnswer> | undefined;
  #waitingBytes = 0;
  #waitingPieces = 0;
  #readyBytes = 0;
  #underWayBytes = 0;
  #readBytes = 0;
  #failure: { readonly error: unknown } | undefined;
  #isEnded = false;

  constructor(options: WriteAheadOptions) {
    this.#options = options;
  }

  /** Where a part of a chunk lies; undefined: nobody knows, or it is no part of it. */
  placeOf({ id, offset, length }: ChunkExtent): ChunkPlace | undefined {
    const place = this.#options.runs.placeOf(id);
    return place && offset + length <= place.length ? place : undefined;
  }

  /** Await `rest` now and then. */
  add(place: FramePlace, piece: WaitingPiece): void {
    const key = place.frame;
    let frame = this.#planned.get(key);
    if (frame === undefined || frame.place.ordinal !== place.ordinal || frame.place.pack !== place.pack) {
      if (frame) this.#makeReady(frame);
      frame = { place, pieces: [], wantedBytes: 0, isReady: false };
      this.#planned.set(key, frame);
      this.#waitingBytes += place.rawBytes;
    }
    frame.pieces.push(piece);
    frame.wantedBytes += piece.length;
    this.#waitingPieces++;
    if (frame.wantedBytes < place.rawBytes) return;
    this.#planned.delete(key);
    this.#makeReady(frame);
  }

  #makeReady(frame: PlannedFrame): void {
    frame.isReady = true;
    this.#ready.push(frame);
    this.#readyBytes += frame.place.rawBytes;
  }

  /** Undefined while there is nothing to wait for. */
  rest(): Promise<void> | undefined {
    if (this.#failure) throw this.#failure.error;
    if (this.#waitingBytes > waitingBytesMax || this.#waitingPieces > waitingPiecesMax)
      return this.#writeAll();
    return this.#readyBytes >= readyBytesMin ? this.#write(this.#ready.splice(0)) : undefined;
  }

  /** Writes until it is not crowded any more, or all is written. */
  async relieve(isCrowded: () => boolean): Promise<void> {
    await this.#write(this.#ready.splice(0));
    while (isCrowded() && this.#underWay.size > 0) await Promise.race(this.#underWay);
    if (isCrowded()) await this.finish();
    if (this.#failure) throw this.#failure.error;
  }

  /** Resolves when all is written. */
  async finish(): Promise<void> {
    await this.#writeAll();
    await Promise.all(this.#underWay);
    if (this.#failure) throw this.#failure.error;
  }

  /** Nothing is written any more when this resolves. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true;
    await this.#pool?.[Symbol.asyncDispose]();
    await Promise.all(this.#underWay);
  }

  #writeAll(): Promise<void> {
    const frames = [...this.#ready.splice(0), ...this.#planned.values()];
    this.#planned.clear();
    return this.#write(frames);
  }

  async #write(frames: readonly PlannedFrame[]): Promise<void> {
    const worth: PlannedFrame[] = [];
    for (const frame of frames) {
      const { place, pieces, wantedBytes } = frame;
      this.#waitingBytes -= place.rawBytes;
      this.#waitingPieces -= pieces.length;
      if (frame.isReady) this.#readyBytes -= place.rawBytes;
      const isCached = this.#read.has(place.frame) && wantedBytes * 4 < place.rawBytes;
      if (isCached) for (const piece of pieces) await this.#otherwise(piece);
      else worth.push(frame);
    }
    for (const run of runsOf(worth)) {
      for (const { place } of run) this.#read.add(place.frame);
      const bytes = run.reduce((sum, { place }) => sum + place.sealedBytes, 0);
      while (this.#underWay.size > 0 && this.#underWayBytes + bytes > underWayBytesMax)
        await Promise.race(this.#underWay);
      if (this.#failure) throw this.#failure.error;
      this.#begin(run, bytes);
    }
  }

  #begin(run: readonly PlannedFrame[], bytes: number): void {
    this.#underWayBytes += bytes;
    this.#readBytes += bytes;
    const writing = this.#writeRun(run)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#underWayBytes -= bytes;
        this.#underWay.delete(writing);
      });
    this.#underWay.add(writing);
  }

  async #writeRun(frames: readonly PlannedFrame[]): Promise<void> {
    const { runs, signal } = this.#options;
    let run: SealedRun | undefined;
    try {
      run = await runs.read(
        frames.map(({ place }) => place),
        { signal },
      );
    } catch {
      signal?.throwIfAborted(); // whatever it is: asking the store for each chunk tells
    }
    if (this.#isEnded || this.#failure) return;
    const answer = run && (await this.#run(jobOf(run, frames)));
    if (answer) this.#take(answer, frames);
    const unread = new Set(answer?.unread);
    let i = 0;
    for (const { pieces } of frames) {
      for (const piece of pieces) {
        if (!answer || unread.has(i)) await this.#otherwise(piece);
        else piece.done();
        i++;
      }
    }
  }

  async #run(job: WriteJob): Promise<WriteAnswer> {
    const pool = this.#poolFor();
    if (pool && pool.waiting < pool.size * jobsOfThread) return pool.run(job, buffersOf(job));
    const { runs, libc } = this.#options;
    return runWriteJob(job, { opener: runs.opener, libc });
  }

  #poolFor(): WorkerPool<WriteJob, WriteAnswer> | undefined {
    const { threads } = this.#options;
    const size = threads ?? availableParallelism() - 1;
    const isWorthIt = threads !== undefined || this.#readBytes >= threadsFromBytes;
    if (this.#pool || size < 1 || !isWorthIt) return this.#pool;
    this.#pool = startWorkers({ program, size, data: this.#options.runs.keys, onEnd: threadEnded });
    return this.#pool;
  }

  #take({ losses, refusal }: WriteAnswer, frames: readonly PlannedFrame[]): void {
    this.#options.metadata.lose(losses);
    if (refusal === undefined) return;
    const { piece, message, code, syscall } = refusal;
    const { path } = frames.flatMap(({ pieces }) => pieces)[piece]!;
    throw targetError(shown(path), Object.assign(new Error(message), { code, syscall }));
  }

  async #otherwise(piece: WaitingPiece): Promise<void> {
    if (this.#isEnded) return;
    await naming(`file ${shown(piece.path)}`, () => piece.otherwise());
    piece.done();
  }
}

const program = new URL('./write-job-main.js', import.meta.url);

/** Frames of one pack, in the order of packs. */
function runsOf(frames: readonly PlannedFrame[]): PlannedFrame[][] {
  const ordered = [...frames].sort((a, b) =>
    a.place.pack === b.place.pack
      ? a.place.sealedOffset - b.place.sealedOffset
      : a.place.pack < b.place.pack
        ? -1
        : 1,
  );
  const runs: PlannedFrame[][] = [];
  let bytes = 0;
  for (const frame of ordered) {
    const { place } = frame;
    const run = runs.at(-1);
    if (run && run[0]!.place.pack === place.pack && bytes + place.sealedBytes <= runBytesMax) {
      run.push(frame);
      bytes += place.sealedBytes;
    } else {
      runs.push([frame]);
      bytes = place.sealedBytes;
    }
  }
  return runs;
}

function jobOf(run: SealedRun, frames: readonly PlannedFrame[]): WriteJob {
  const job = new JobWriter(frames.reduce((sum, { pieces }) => sum + pieces.length, 0));
  for (const [i, { pieces }] of frames.entries()) for (const piece of pieces) job.add(i, piece);
  return job.finish(run);
}

const threadEnded = (cause: unknown): Error =>
  engineError('TARGET_FAILED', 'Cannot restore the home: a thread that writes it ended', {
    remedy: 'Run the same command again.',
    cause,
  });
