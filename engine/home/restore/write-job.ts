import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { type ChunkId, ownBufferOf, type RunOpener, type SealedRun } from '../../../store/index.ts';
import type { BytePath } from '../paths.ts';
import type { Libc } from '../system/libc.ts';
import { codeOf } from '../system/read.ts';
import type { Xattr } from '../system/xattrs.ts';
import { type Losses, type Metadata, type MetadataWriter, metadataWriter, type Owner } from './metadata.ts';
import { at } from './target.ts';

/** A part of one chunk, and where it goes: a whole new file in an open folder, or a place in an open file. */
export interface Piece {
  readonly id: ChunkId;
  /** The chunk in its frame. */
  readonly chunkAt: number;
  readonly chunkBytes: number;
  /** The part of the chunk that is wanted. */
  readonly from: number;
  readonly length: number;
  readonly to: NewFile | { readonly fd: number; readonly position: number };
}

export interface NewFile {
  /** Open. */
  readonly folder: number;
  readonly name: BytePath;
  readonly metadata: Omit<Metadata, 'kind' | keyof Owner>;
  readonly owner: Owner;
}

/** Neighbouring frames, and all that is to be written of them now; in columns, since it goes to another thread. */
export interface WriteJob {
  readonly run: SealedRun;
  readonly pieces: number;
  /** `columns` numbers for each piece. */
  readonly numbers: Float64Array;
  readonly mtimesNs: BigInt64Array;
  /** Chunk ids, 32 bytes each. */
  readonly ids: Uint8Array;
  /** Names of new files, each ended by a NUL; empty for a place in a file. */
  readonly names: string;
  /** By piece. */
  readonly xattrs: ReadonlyMap<number, readonly Xattr[]>;
}

const columns = 10;
/** Stands for the position where a new file is to be made. */
const newFile = -1;

/** Writes down pieces as a job. */
export class JobWriter {
  readonly #numbers: Float64Array;
  readonly #mtimesNs: BigInt64Array;
  readonly #ids: Uint8Array;
  readonly #xattrs = new Map<number, readonly Xattr[]>();
  readonly #max: number;
  #names = '';
  #count = 0;

  constructor(pieces: number) {
    this.#max = pieces;
    this.#numbers = new Float64Array(columns * pieces);
    this.#mtimesNs = new BigInt64Array(pieces);
    this.#ids = new Uint8Array(32 * pieces);
  }

  /** `frame`: its place in the run. Pieces of one frame follow each other. */
  add(frame: number, { id, chunkAt, chunkBytes, from, length, to }: Piece): void {
    const i = this.#count++;
    const numbers = this.#numbers;
    let at = columns * i;
    this.#ids.set(id, 32 * i);
    numbers[at++] = frame;
    numbers[at++] = chunkAt;
    numbers[at++] = chunkBytes;
    numbers[at++] = from;
    numbers[at++] = length;
    numbers[at++] = 'fd' in to ? to.fd : to.folder;
    numbers[at++] = 'fd' in to ? to.position : newFile;
    if (!('fd' in to)) {
      const { mode, mtimeNs, xattrs } = to.metadata;
      numbers[at++] = mode;
      numbers[at++] = to.owner.uid;
      numbers[at] = to.owner.gid;
      this.#mtimesNs[i] = mtimeNs;
      this.#names += to.name;
      if (xattrs.length > 0) this.#xattrs.set(i, xattrs);
    }
    this.#names += '\0';
  }

  finish(run: SealedRun): WriteJob {
    return {
      run,
      pieces: this.#max,
      numbers: this.#numbers,
      mtimesNs: this.#mtimesNs,
      ids: this.#ids,
      names: this.#names,
      xattrs: this.#xattrs,
    };
  }
}

/** What of a job can be handed over without a copy. */
export const buffersOf = ({ run, numbers, mtimesNs, ids }: WriteJob): ArrayBuffer[] =>
  [run.bytes, numbers, mtimesNs, ids].flatMap(ownBufferOf);

export interface WriteAnswer {
  /** Pieces whose chunk is not whole here: nothing of them was written. */
  readonly unread: readonly number[];
  readonly losses: Losses;
  /** What the target refused; the pieces after it were not written. */
  readonly refusal?: {
    readonly piece: number;
    readonly code: string;
    readonly message: string;
    readonly syscall: string;
  };
}

export interface WriteTools {
  readonly opener: RunOpener;
  readonly libc: Libc | undefined;
}

export const createFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Opens frames, checks each chunk against its id, and writes. Descriptors are the process's, so any thread may do it. */
export function runWriteJob(job: WriteJob, { opener, libc }: WriteTools): WriteAnswer {
  // Owners were settled by who gives the job.
  const metadata = metadataWriter({ libc, owner: 'keep' });
  const writer = { metadata, owners: new Map<number, Owner>(), names: job.names.split('\0') as BytePath[] };
  const unread: number[] = [];
  let frame = -1;
  let raw: Uint8Array | undefined;
  for (let i = 0; i < job.pieces; i++) {
    const at = columns * i;
    const ofFrame = job.numbers[at]!;
    const chunkAt = job.numbers[at + 1]!;
    const from = job.numbers[at + 3]!;
    if (ofFrame !== frame) {
      frame = ofFrame;
      raw = opened(job.run, frame, opener);
    }
    const chunk = raw?.subarray(chunkAt, chunkAt + job.numbers[at + 2]!);
    const id = job.ids.subarray(32 * i, 32 * i + 32);
    if (chunk === undefined || Buffer.compare(opener.idOf(chunk, 'data'), id) !== 0) {
      unread.push(i);
      continue;
    }
    try {
      writePiece(chunk.subarray(from, from + job.numbers[at + 4]!), { job, piece: i, writer });
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined || !(error instanceof Error && 'syscall' in error)) throw error;
      const { message, syscall } = error;
      return {
        unread,
        losses: metadata.losses,
        refusal: { piece: i, code, message, syscall: String(syscall) },
      };
    }
  }
  return { unread, losses: metadata.losses };
}

/** Undefined where it cannot be opened: who asked the store for it hears why. */
function opened(run: SealedRun, frame: number, opener: RunOpener): Uint8Array | undefined {
  try {
    return opener.open(run, run.frames[frame]!);
  } catch {
    return undefined;
  }
}

interface Writer {
  readonly metadata: MetadataWriter;
  readonly names: readonly BytePath[];
  /** Whose a new file is, by its folder: the same for all, and asking for each takes longer than giving it away. */
  readonly owners: Map<number, Owner>;
}

const noXattrs: readonly Xattr[] = [];

function writePiece(
  bytes: Uint8Array,
  { job, piece, writer }: { readonly job: WriteJob; readonly piece: number; readonly writer: Writer },
): void {
  const { numbers } = job;
  const base = columns * piece + 5;
  const descriptor = numbers[base]!;
  const position = numbers[base + 1]!;
  if (position !== newFile) {
    writeWhole(descriptor, bytes, position);
    return;
  }
  const { metadata, owners, names } = writer;
  const fd = openSync(at(descriptor, names[piece]!), createFlags, 0o600);
  try {
    writeWhole(fd, bytes, null);
    const owner = owners.get(descriptor) ?? fstatSync(fd);
    owners.set(descriptor, owner);
    const entry: Metadata = {
      kind: 'file',
      mode: numbers[base + 2]!,
      uid: numbers[base + 3]!,
      gid: numbers[base + 4]!,
      mtimeNs: job.mtimesNs[piece]!,
      xattrs: job.xattrs.get(piece) ?? noXattrs,
    };
    metadata.open(fd, entry, { owner });
  } finally {
    closeSync(fd);
  }
}

function writeWhole(fd: number, bytes: Uint8Array, position: number | null): void {
  for (let from = 0; from < bytes.length; )
    from += writeSync(fd, bytes, from, bytes.length - from, position === null ? null : position + from);
}
