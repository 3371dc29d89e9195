import { createHmac, timingSafeEqual } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Level } from 'level';
import type { ChunkClass, ChunkId, ChunkSink, ChunkSource, StoreId } from '../store/index.ts';
import type { RememberedRows } from './home/index.ts';
import { LargeFiles, type LargeRows } from './large-rows.ts';

/**
 * `node`: a metadata chunk by its id. `table`: what the database part derived from stored rows, by a hash of them. `pair`: what
 * a snapshot of a write-only host says, by its id.
 */
export type CacheKind = 'node' | 'table' | 'pair';

/**
 * Copies of what the store can give again, kept near. A row's name says what its bytes are, and nothing else is asked
 * of it: so no row can be out of date, and what the store holds and lacks is never read here. It may be deleted, cut
 * short or taken from another machine at any time; no call fails for that, the row is just not there.
 */
export interface Cache {
  /** Undefined: not there, or not what was put. At most 32 bytes of id. */
  get(kind: CacheKind, id: Uint8Array): Promise<Uint8Array | undefined>;
  /** Copies the bytes; they are written later, in batches. */
  put(kind: CacheKind, id: Uint8Array, bytes: Uint8Array): void;
  /** The row will be wanted again, though this run does not read it. */
  keep(kind: CacheKind, id: Uint8Array): void;
  /** Large rows, each in a file. */
  readonly large: LargeRows;
}

/** The cache of one run. */
export interface OpenCache extends Cache, AsyncDisposable {
  /** Sentences about what was wrong with it. */
  readonly notes: readonly string[];
  /** Writes what waits and drops every row that this run neither got, put nor kept. After the commit. */
  settle(): Promise<void>;
}

export interface CacheOptions {
  /** Below it each store and instance has a folder of its own. */
  readonly folder: string;
  readonly storeId: StoreId;
  readonly instance: string;
  /** The store's secret for rows: one of another store, or a damaged one, does not pass. */
  readonly key: Uint8Array;
}

const checkBytes = 16;
const batchBytesMax = 4 * 1024 * 1024;
const kindBytes: Readonly<Record<CacheKind, number>> = { node: 1, table: 2, pair: 3 };
/** The row that lists the others: reading them all to learn their names would read their bytes. */
const namesKey = Buffer.from([0]);

type Database = Level<Uint8Array, Uint8Array>;

/** Opens the cache, or makes it. Where neither works the run goes on without one, and a note says so. */
export async function openCache(options: CacheOptions): Promise<OpenCache> {
  const folder = join(options.folder, options.storeId, encodeURIComponent(options.instance).slice(0, 200));
  const cache = new LevelCache(folder, options.key);
  await cache.open();
  return cache;
}

class LevelCache implements OpenCache {
  readonly large: LargeFiles;
  readonly #folder: string;
  readonly #key: Uint8Array;
  readonly #notes: string[] = [];
  #database: Database | undefined;
  /** Names of the rows on disk, in hex. */
  #known = new Set<string>();
  readonly #touched = new Set<string>();
  /** What is not written yet. */
  #waiting = new Map<string, Uint8Array>();
  #waitingBytes = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(folder: string, key: Uint8Array) {
    this.#folder = folder;
    this.#key = key;
    this.large = new LargeFiles(join(folder, 'large'), { key, isOpen: () => this.#database !== undefined });
  }

  get notes(): readonly string[] {
    return this.#notes;
  }

  async open(): Promise<void> {
    try {
      this.#database = await openLevel(this.#folder);
      await this.#readNames();
    } catch (error) {
      if (isBusy(error)) return this.#giveUp(error);
      await this.#startAnew(error);
    }
  }

  async get(kind: CacheKind, id: Uint8Array): Promise<Uint8Array | undefined> {
    const name = nameOf(kind, id);
    const waiting = this.#waiting.get(name);
    if (waiting) return withoutCheck(waiting);
    if (!this.#database || !this.#known.has(name)) return undefined;
    try {
      const row = await this.#database.get(Buffer.from(name, 'hex'));
      const bytes = row && this.#checked(name, row);
      if (bytes) this.#touched.add(name);
      else this.#known.delete(name);
      return bytes;
    } catch (error) {
      await this.#startAnew(error);
      return undefined;
    }
  }

  put(kind: CacheKind, id: Uint8Array, bytes: Uint8Array): void {
    if (!this.#database) return;
    const name = nameOf(kind, id);
    this.#touched.add(name);
    if (this.#known.has(name) || this.#waiting.has(name)) return;
    const row = Buffer.concat([bytes, this.#checkOf(name, bytes)]);
    this.#waiting.set(name, row);
    this.#waitingBytes += row.length;
    if (this.#waitingBytes >= batchBytesMax) this.#write();
  }

  keep(kind: CacheKind, id: Uint8Array): void {
    this.#touched.add(nameOf(kind, id));
  }

  async settle(): Promise<void> {
    this.#write();
    await this.#writing;
    const database = this.#database;
    if (!database) return;
    await this.large.settle();
    const left = [...this.#known].filter(name => !this.#touched.has(name));
    for (const name of left) this.#known.delete(name);
    try {
      await database.batch([
        ...left.map(name => ({ type: 'del' as const, key: Buffer.from(name, 'hex') })),
        this.#namesRow(this.#known),
      ]);
    } catch (error) {
      await this.#drop(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    await this.#database?.close().catch(() => undefined); // only a cache: the next run finds out
    this.#database = undefined;
  }

  /** One batch after the other; what a failed one held is simply not cached. */
  #write(): void {
    const rows = this.#waiting;
    if (rows.size === 0) return;
    this.#waiting = new Map();
    this.#waitingBytes = 0;
    const before = this.#writing;
    const write = async (): Promise<void> => {
      await before;
      const database = this.#database;
      if (!database) return;
      try {
        const known = new Set([...this.#known, ...rows.keys()]);
        await database.batch([
          ...[...rows].map(([name, value]) => ({
            type: 'put' as const,
            key: Buffer.from(name, 'hex'),
            value,
          })),
          this.#namesRow(known), // with them: a run that is killed leaves no row that nobody knows
        ]);
        this.#known = known;
      } catch (error) {
        await this.#drop(error);
      }
    };
    this.#writing = write();
  }

  #namesRow(known: ReadonlySet<string>): { type: 'put'; key: Uint8Array; value: Uint8Array } {
    const names = Buffer.from(JSON.stringify([...known]));
    return { type: 'put', key: namesKey, value: Buffer.concat([names, this.#checkOf('', names)]) };
  }

  async #readNames(): Promise<void> {
    const row = await this.#database!.get(namesKey);
    if (!row) return;
    const names = this.#checked('', row);
    if (!names) throw new Error('its list of rows is damaged');
    this.#known = new Set(JSON.parse(Buffer.from(names).toString()) as string[]);
  }

  /** Whatever is there goes, and an empty cache takes its place: nothing in it was the only copy. */
  async #startAnew(cause: unknown): Promise<void> {
    await this.#drop(cause);
    try {
      this.#database = await openLevel(this.#folder);
    } catch (error) {
      this.#giveUp(error);
    }
  }

  async #drop(cause: unknown): Promise<void> {
    const database = this.#database;
    this.#database = undefined;
    this.#known = new Set();
    await database?.close().catch(() => undefined); // it is being thrown away
    await rm(this.#folder, { recursive: true, force: true }).catch(() => undefined); // tried: it is only a cache
    this.#notes.push(`The cache in ${this.#folder} was dropped: ${reasonOf(cause)}`);
  }

  #giveUp(cause: unknown): void {
    this.#database = undefined;
    this.#notes.push(`The run goes on without a cache in ${this.#folder}: ${reasonOf(cause)}`);
  }

  #checkOf(name: string, bytes: Uint8Array): Uint8Array {
    return createHmac('sha256', this.#key)
      .update(name)
      .update('\0')
      .update(bytes)
      .digest()
      .subarray(0, checkBytes);
  }

  #checked(name: string, row: Uint8Array): Uint8Array | undefined {
    if (row.length < checkBytes) return undefined;
    const bytes = withoutCheck(row);
    return timingSafeEqual(this.#checkOf(name, bytes), row.subarray(bytes.length)) ? bytes : undefined;
  }
}

/** A plain view, whatever kind of array the row is. */
function withoutCheck(row: Uint8Array): Uint8Array {
  return new Uint8Array(row.buffer, row.byteOffset, row.length - checkBytes);
}

async function openLevel(folder: string): Promise<Database> {
  const { Level } = await import('level');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const database: Database = new Level(folder, { keyEncoding: 'view', valueEncoding: 'view' });
  await database.open();
  return database;
}

function nameOf(kind: CacheKind, id: Uint8Array): string {
  return kindBytes[kind].toString(16).padStart(2, '0') + Buffer.from(id).toString('hex');
}

/** Another process has it open: it is whole, and not ours to throw away. */
function isBusy(error: unknown): boolean {
  return causesOf(error).some(one => 'code' in one && one.code === 'LEVEL_LOCKED');
}

function reasonOf(error: unknown): string {
  return causesOf(error).at(-1)?.message ?? String(error);
}

function causesOf(error: unknown): Error[] {
  const found: Error[] = [];
  for (let one = error; one instanceof Error; one = one.cause) found.push(one);
  return found;
}

/** A session that finds metadata chunks in the cache first, and leaves there what it meets. */
export function throughCache(
  session: ChunkSink & ChunkSource,
  cache: Cache | undefined,
): ChunkSink & ChunkSource {
  if (!cache) return session;
  return {
    async put(bytes, chunkClass: ChunkClass) {
      const id = await session.put(bytes, chunkClass);
      if (chunkClass === 'metadata') cache.put('node', id, bytes);
      return id;
    },
    putNow(bytes, chunkClass: ChunkClass) {
      const id = session.putNow?.(bytes, chunkClass);
      if (id && chunkClass === 'metadata') cache.put('node', id, bytes);
      return id;
    },
    async get(id: ChunkId, chunkClass: ChunkClass) {
      if (chunkClass !== 'metadata') return session.get(id, chunkClass);
      const kept = await cache.get('node', id);
      if (kept) return kept;
      const bytes = await session.get(id, chunkClass);
      cache.put('node', id, bytes);
      return bytes;
    },
  };
}

/** Rows of home listings, kept beside their nodes. */
export function rememberedIn(cache: Cache): RememberedRows {
  return {
    get: listing => cache.large.get(listing),
    put: (listing, parts) => cache.large.put(listing, parts),
    keepNode: node => cache.keep('node', node),
  };
}
