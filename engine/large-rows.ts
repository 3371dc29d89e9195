import { createHmac, type Hmac, timingSafeEqual } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Rows of the cache that are too large to be copied through a database: each is a file. As good, and as easily lost. */
export interface LargeRows {
  /** Undefined: not there, or not what was put. The bytes are the caller's. */
  get(id: Uint8Array): Promise<Uint8Array | undefined>;
  /** Writes them as they come. A row that cannot be written is just not there. */
  put(id: Uint8Array, parts: Iterable<Uint8Array>): Promise<void>;
}

interface LargeFilesOptions {
  readonly key: Uint8Array;
  /** False once the cache was dropped, or is another run's. */
  readonly isOpen: () => boolean;
}

const checkBytes = 32;
const batchBytes = 1024 * 1024;

export class LargeFiles implements LargeRows {
  readonly #folder: string;
  readonly #options: LargeFilesOptions;
  readonly #touched = new Set<string>();

  constructor(folder: string, options: LargeFilesOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  async get(id: Uint8Array): Promise<Uint8Array | undefined> {
    if (!this.#options.isOpen()) return undefined;
    const name = nameOf(id);
    const bytes = await readWhole(join(this.#folder, name)).catch(() => undefined); // it is only a cache
    if (!bytes || bytes.length < checkBytes) return undefined;
    const row = bytes.subarray(0, -checkBytes);
    const check = this.#checkOf(name).update(row).digest();
    if (!timingSafeEqual(check, bytes.subarray(-checkBytes))) return undefined;
    this.#touched.add(name);
    return row;
  }

  async put(id: Uint8Array, parts: Iterable<Uint8Array>): Promise<void> {
    if (!this.#options.isOpen()) return;
    const name = nameOf(id);
    const temporary = join(this.#folder, `${name}.new`);
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await using file = await open(temporary, 'w', 0o600);
      const check = this.#checkOf(name);
      for (const part of batches(parts)) {
        check.update(part);
        await writeAll(file, part);
      }
      await writeAll(file, check.digest());
      await rename(temporary, join(this.#folder, name));
      this.#touched.add(name);
    } catch {
      await rm(temporary, { force: true }).catch(() => undefined); // tried: the next run decodes the listing
    }
  }

  /** Drops what this run neither got nor put. */
  async settle(): Promise<void> {
    const names = await readdir(this.#folder).catch(() => []);
    for (const name of names)
      if (!this.#touched.has(name))
        await rm(join(this.#folder, name), { force: true }).catch(() => undefined); // the next run tries again
  }

  #checkOf(name: string): Hmac {
    return createHmac('sha256', this.#options.key).update(`large ${name}\0`);
  }
}

const nameOf = (id: Uint8Array): string => Buffer.from(id).toString('hex');

/** Small parts together, so that not each is a call. */
function* batches(parts: Iterable<Uint8Array>): Generator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for (const part of parts) {
    waiting.push(part);
    bytes += part.length;
    if (bytes < batchBytes) continue;
    yield waiting.length === 1 ? part : Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
  }
  yield Buffer.concat(waiting);
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
}

/** In memory of its own, which begins at 0 and which threads can share. */
async function readWhole(path: string): Promise<Buffer> {
  await using file = await open(path, 'r');
  const { size } = await file.stat();
  const bytes = Buffer.from(new SharedArrayBuffer(size));
  for (let at = 0; at < size; ) {
    const { bytesRead } = await file.read(bytes, at, size - at, at);
    if (bytesRead === 0) throw new RangeError('Cannot read row: it was cut short');
    at += bytesRead;
  }
  return bytes;
}
