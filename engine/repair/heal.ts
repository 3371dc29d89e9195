import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import {
  type ChunkId,
  type ChunkSource,
  hex,
  type RepairSession,
  type Store,
  salvageListing,
} from '../../store/index.ts';
import { decodeHomeEntry } from '../home/entries/entry.ts';
import { type BytePath, bytePath, bytePathOfText, bytesOf, join, shown } from '../home/paths.ts';
import { contentWriter } from '../ingest/index.ts';
import type { Snapshot } from '../pair.ts';
import { lostRanges } from './losses.ts';

/** A file of the live home that had lost content. */
export interface HealedFile {
  readonly file: string;
  readonly chunks: number;
}

export interface HealOptions {
  readonly store: Store;
  readonly session: RepairSession;
  readonly snapshots: readonly Snapshot[];
  /** The live home; data stores are where they were. */
  readonly home: string;
  readonly signal: AbortSignal;
}

/** A lost chunk, and where in which files it was. */
interface Wanted {
  readonly id: ChunkId;
  readonly length: number;
  readonly places: { readonly path: BytePath; readonly at: number }[];
}

/** Places of one chunk that are tried: a chunk of zeros may be in thousands of files. */
const placesMax = 16;
const readBytes = 1024 * 1024;
const chunkBytesMax = 16 * 1024 * 1024;

/**
 * Stores lost content again from the live home: first what is still where it was, then, with the file cut anew, what was
 * moved within it. The id of a chunk says whether it is the same.
 */
export async function healFromHome(options: HealOptions): Promise<HealedFile[]> {
  const { session, store, signal } = options;
  const wanted = await collect(options);
  const healed = new Map<string, number>();
  const heal = async (path: BytePath, bytes: Uint8Array, id: ChunkId): Promise<void> => {
    const name = hex(id);
    if (!wanted.has(name) || !(await session.heal(id, bytes))) return;
    wanted.delete(name);
    healed.set(shown(path), (healed.get(shown(path)) ?? 0) + 1);
  };
  for (const { id, length, places } of [...wanted.values()]) {
    for (const { path, at } of places) {
      signal.throwIfAborted();
      const bytes = readRange(path, { at, length });
      if (bytes && wanted.has(hex(id))) await heal(path, bytes, id);
    }
  }
  const paths = new Set([...wanted.values()].flatMap(({ places }) => places.map(({ path }) => path)));
  for (const path of paths) {
    const sink = {
      async put(bytes: Uint8Array): Promise<ChunkId> {
        const id = session.idOf(bytes);
        await heal(path, bytes, id);
        return id;
      },
    };
    if (wanted.size > 0) await cutFile(path, contentWriter(sink, store.cuts), signal);
  }
  return [...healed].map(([file, chunks]) => ({ file, chunks }));
}

async function collect(options: HealOptions): Promise<Map<string, Wanted>> {
  const { snapshots, home, session: source } = options;
  const wanted = new Map<string, Wanted>();
  for (const snapshot of snapshots) {
    for (const [i, root] of (snapshot.home?.roots ?? []).entries()) {
      const base = i === 0 ? bytePathOfText(home) : bytePath(root.path);
      for await (const step of salvageListing(source, root.listing))
        if ('entry' in step) await addWanted(wanted, { ...options, source, base, entry: step.entry });
    }
  }
  return wanted;
}

async function addWanted(
  wanted: Map<string, Wanted>,
  {
    session,
    source,
    base,
    entry,
    signal,
  }: Pick<HealOptions, 'session' | 'signal'> & {
    readonly source: ChunkSource;
    readonly base: BytePath;
    readonly entry: Parameters<typeof decodeHomeEntry>[0];
  },
): Promise<void> {
  signal.throwIfAborted();
  const { path, content } = decodeHomeEntry(entry);
  if (!content) return;
  const isLost: RepairSession['isLost'] = ref => session.isLost(ref);
  for (const { ref, from, offset, length } of await lostRanges(content, { source, isLost })) {
    if (ref.kind === 'node' || from < offset) continue;
    const one = wanted.get(hex(ref.id)) ?? {
      id: new Uint8Array(ref.id) as ChunkId,
      length: session.lengthOf(ref.id) ?? offset + length,
      places: [],
    };
    wanted.set(hex(ref.id), one);
    const place = { path: join(base, path), at: from - offset };
    const isKnown = one.places.some(known => known.path === place.path && known.at === place.at);
    if (!isKnown && one.places.length < placesMax) one.places.push(place);
  }
}

/** The live file, open; undefined where there is none that can be read. Only its content is of interest, checked by ids. */
function openLive(path: BytePath): number | undefined {
  try {
    const fd = openSync(bytesOf(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if (fstatSync(fd).isFile()) return fd;
    closeSync(fd);
  } catch {
    // Gone, or not ours to read: it heals nothing.
  }
  return undefined;
}

function readRange(
  path: BytePath,
  { at, length }: { readonly at: number; readonly length: number },
): Uint8Array | undefined {
  if (length > chunkBytesMax) return undefined; // no chunk is: a listing says so that is no backup's
  const fd = openLive(path);
  if (fd === undefined) return undefined;
  try {
    const bytes = Buffer.alloc(length);
    return readFully(fd, bytes, at) === length ? bytes : undefined;
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}

function readFully(fd: number, bytes: Buffer, at: number): number {
  let done = 0;
  while (done < bytes.length) {
    const read = readSync(fd, bytes, done, bytes.length - done, at + done);
    if (read === 0) break;
    done += read;
  }
  return done;
}

async function cutFile(
  path: BytePath,
  writer: ReturnType<typeof contentWriter>,
  signal: AbortSignal,
): Promise<void> {
  const fd = openLive(path);
  if (fd === undefined) return;
  const buffer = Buffer.alloc(readBytes);
  try {
    for (let at = 0; ; ) {
      signal.throwIfAborted();
      const read = readLive(fd, buffer, at);
      if (read === 0) break;
      await writer.write(buffer.subarray(0, read));
      at += read;
    }
    await writer.finish();
  } finally {
    closeSync(fd);
  }
}

/** 0 also where the file cannot be read on. */
function readLive(fd: number, buffer: Buffer, at: number): number {
  try {
    return readFully(fd, buffer, at);
  } catch {
    return 0;
  }
}
