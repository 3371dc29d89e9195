import { createHash, type Hash } from 'node:crypto';
import { storeError } from '../../store/index.ts';
import { type BytePath, bytePathOfText, join, shown } from '../home/paths.ts';
import type { Spool } from './spool.ts';
import { type DataRun, endOfArchive, mapLine, padding, type TarHeader, tarHeader } from './tar.ts';

/** Takes the bytes of an archive in order. They may be used again once the promise has resolved. */
export interface ByteSink {
  write(bytes: Uint8Array): Promise<void>;
}

/** A file that an export makes. Both may be called more than once and give the same. */
export interface MadeFile {
  /** In bytes: an archive says it before the bytes. */
  size(): Promise<number>;
  parts(): AsyncIterable<Uint8Array>;
}

/** What was written of a file. */
export interface WrittenFile {
  readonly bytes: number;
  readonly sha256: string;
}

/** Where an export puts the files that it makes: an archive, or a folder. */
export interface FileTarget {
  put(path: string, file: MadeFile): Promise<WrittenFile>;
}

/** A part of a sparse file, or of any other. */
export type BodyPart =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'hole'; readonly length: number };

/** The bytes of a member, and where they go. */
export interface Body {
  readonly length: number;
  /** Undefined: there is no hole. Counts are what the map will hold. */
  readonly sparse:
    | { readonly runs: number; readonly dataBytes: number; readonly mapBytes: number }
    | undefined;
  runs(): AsyncIterable<DataRun>;
  parts(): AsyncIterable<BodyPart>;
}

export interface TarArchive extends FileTarget {
  /** A member without bytes. Its path is below the archive's top folder. */
  add(header: Omit<TarHeader, 'size'>): Promise<void>;
  /** A file with its bytes; their SHA-256, holes as zeros; undefined where there are too many of those. */
  addFile(header: Omit<TarHeader, 'size' | 'kind' | 'sparse'>, body: Body): Promise<string | undefined>;
  /** A further name of a file that is there, whose bytes have this sum. */
  addName(header: Omit<TarHeader, 'size' | 'kind'>, sha256: string | undefined): Promise<void>;
  finish(): Promise<void>;
}

/** Who checks the sum of a file reads its holes, too: a hole of a terabyte takes an hour. */
const summedHolesMax = 1024 ** 3;

/**
 * A tar archive that is written as it comes, everything below one folder, and at the end the sums of all files, in a form
 * that `sha256sum -c` reads. Folders come before what is in them and are not left before all of it is there: tar gives them
 * their times when it meets something else.
 */
export function tarArchive(
  sink: ByteSink,
  options: {
    readonly top: string;
    readonly mtimeNs: bigint;
    /** Keeps the sums until they are written. */
    readonly sums: Spool;
    readonly signal?: AbortSignal | undefined;
  },
): TarArchive {
  const { mtimeNs, signal, sums } = options;
  const top = bytePathOfText(options.top);
  const within = (path: BytePath): BytePath => (path === '' ? top : join(top, path));
  const folders = new Set<string>();

  const ours = { mode: 0o644, uid: 0, gid: 0, mtimeNs };
  const header = ({ path, target, ...one }: TarHeader): Promise<void> =>
    sink.write(
      tarHeader({
        ...one,
        path: within(path),
        target: one.kind === 'hardLink' ? within(target ?? path) : target,
      }),
    );

  const note = async (path: BytePath, sha256: string | undefined): Promise<void> => {
    if (sha256 !== undefined) await sums.add(sumLine(path, sha256));
  };

  /** Those of our own files; a home's are members of it. */
  async function foldersAbove(path: BytePath): Promise<void> {
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
      const folder = path.slice(0, at) as BytePath;
      if (folders.has(folder)) continue;
      folders.add(folder);
      await header({ ...ours, path: folder, kind: 'folder', mode: 0o755, size: 0 });
    }
  }

  async function addFile(
    one: Omit<TarHeader, 'size' | 'kind' | 'sparse'>,
    body: Body,
  ): Promise<string | undefined> {
    const { sparse, length } = body;
    const dataBytes = sparse?.dataBytes ?? length;
    const size = dataBytes + (sparse?.mapBytes ?? 0);
    await header({ ...one, kind: 'file', size, ...(sparse && { sparse: { realSize: length } }) });
    if (sparse) await writeMap(sink, body);
    const hash = length - dataBytes > summedHolesMax ? undefined : createHash('sha256');
    let written = 0;
    for await (const part of body.parts()) {
      signal?.throwIfAborted();
      if (part.kind === 'hole') {
        if (hash) hashZeros(hash, part.length);
        if (!sparse) written += await writeZeros(sink, part.length);
        continue;
      }
      hash?.update(part.bytes);
      written += part.bytes.length;
      await sink.write(part.bytes);
    }
    if (written !== dataBytes)
      throw storeError(
        'STORE_DAMAGED',
        `Cannot export ${shown(one.path)}: ${written} bytes came, and ${dataBytes} were announced`,
      );
    await sink.write(padding(size));
    const sha256 = hash?.digest('hex');
    await note(one.path, sha256);
    return sha256;
  }

  return {
    async add(one) {
      await header({ ...one, size: 0 });
    },
    addFile,
    async addName(one, sha256) {
      await header({ ...one, kind: 'hardLink', size: 0 });
      await note(one.path, sha256);
    },
    async put(path, file) {
      const name = bytePathOfText(path);
      await foldersAbove(name);
      const bytes = await file.size();
      const sha256 = await addFile({ ...ours, path: name }, wholeBody(file, bytes));
      return { bytes, sha256: sha256! };
    },
    async finish() {
      const size = await sums.end();
      await header({ ...ours, path: sumsName, kind: 'file', size });
      for await (const bytes of sums.parts()) await sink.write(bytes);
      await sink.write(padding(size));
      await sink.write(endOfArchive);
    },
  };
}

const sumsName = bytePathOfText('SHA256SUMS');

/** As coreutils write and read it: a name with a line break or a backslash is escaped, and says so. */
function sumLine(path: BytePath, sha256: string): Uint8Array {
  const escaped = path.replace(/[\\\n\r]/g, c => (c === '\\' ? '\\\\' : c === '\n' ? '\\n' : '\\r'));
  return Buffer.from(`${escaped === path ? '' : '\\'}${sha256}  ${escaped}\n`, 'latin1');
}

async function writeMap(sink: ByteSink, { sparse, runs }: Body): Promise<void> {
  let text = mapLine(sparse!.runs);
  let written = 0;
  const flush = async (): Promise<void> => {
    written += text.length;
    await sink.write(Buffer.from(text, 'latin1'));
    text = '';
  };
  for await (const { offset, length } of runs()) {
    text += mapLine(offset) + mapLine(length);
    if (text.length > 64 * 1024) await flush();
  }
  await flush();
  await sink.write(padding(written));
}

function wholeBody(file: MadeFile, length: number): Body {
  return {
    length,
    sparse: undefined,
    async *runs() {},
    async *parts() {
      for await (const bytes of file.parts()) yield { kind: 'bytes', bytes };
    },
  };
}

const zeros = new Uint8Array(1024 * 1024);

function hashZeros(hash: Hash, length: number): void {
  for (let left = length; left > 0; left -= zeros.length)
    hash.update(left < zeros.length ? zeros.subarray(0, left) : zeros);
}

async function writeZeros(sink: ByteSink, length: number): Promise<number> {
  for (let left = length; left > 0; left -= zeros.length)
    await sink.write(left < zeros.length ? zeros.subarray(0, left) : zeros);
  return length;
}

/** A text as a file. */
export function textFile(text: string): MadeFile {
  const bytes = Buffer.from(text, 'utf8');
  return {
    size: async () => bytes.length,
    async *parts() {
      if (bytes.length > 0) yield bytes;
    },
  };
}
