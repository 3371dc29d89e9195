import type { StoreContext } from '../context.ts';
import {
  isBeyondUs,
  isStoreError,
  type StillpointError,
  type StoreErrorCode,
  storeError,
} from '../errors.ts';
import type { PackId, SnapshotId } from '../ids.ts';
import { readTrailer } from '../pack/reader.ts';
import { chunkRowBytes, type PackRow, packName } from '../pack/row.ts';
import { packBytesOf } from '../pack/trailer.ts';
import { type Generations, readGenerations } from '../protocol/generations.ts';
import { isUntrusted, openRecord } from '../record.ts';
import { ChunkIndex } from './chunk-index.ts';
import { snapshotWithoutIndex } from './lost-parts.ts';
import { callOf, namesOf, readMasks, type StoreProblem, tolerate } from './masks.ts';
import { decodeIndexPart, type IndexPart } from './parts.ts';
import { Claims, packsRead } from './written.ts';

/** Everything that is known about where chunks are. */
export interface LoadedIndex {
  readonly index: ChunkIndex;
  /** What gc/ said before the index was read. */
  readonly generations: Generations;
  /** By their names, the parts that were there. */
  readonly parts: ReadonlyMap<string, PartFacts>;
  readonly problems: readonly StoreProblem[];
  /** Rows that no part lists that is readable and durable for certain: who depends on them lists them again. */
  readonly unlisted: readonly PackRow[];
  /** Packs that no part lists were asked themselves. */
  readonly hasTrailers: boolean;
  /** The packs that are there, by size; empty for a reader. */
  readonly sizes: ReadonlyMap<PackId, number>;
  /** Ids (hex) of chunks that are recorded as lost. */
  readonly lost: ReadonlySet<string>;
  /** Packs that hosts without the passphrase wrote, and which; the index doubts those that no key holder has read. */
  readonly written: ReadonlyMap<PackId, string>;
}

/** What a part of the index names. For a reader without packs. */
export interface PartFacts {
  readonly isReadable: boolean;
  readonly replaces: readonly string[];
  readonly packs: readonly PackId[];
  /** The host without the passphrase that signed it, if one did. */
  readonly host?: string | undefined;
}

export interface LoadOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * 'write': what new snapshots may depend on. Packs that are not there, that have another size than listed, or that a
   * generation names count as damaged, so that their chunks are stored again. 'prune': what is there, tombstones or not,
   * and what the packs that no part lists say themselves.
   */
  readonly purpose?: 'read' | 'write' | 'prune';
  /** Ask the packs that no part lists, even if every part is whole. */
  readonly trailers?: 'always' | 'when damaged';
}

const indexPattern = /^index\/[0-9a-f]{64}$/;
const sessionPattern = /^sessions\/[0-9a-f]{64}$/;
const packPattern = /^packs\/[0-9a-f]{2}\/([0-9a-f]{64})$/;

/**
 * Reads the effective index. A part that cannot be read is a problem, not an empty part: the packs that are then in no
 * part are asked themselves.
 */
export async function loadIndex(context: StoreContext, options: LoadOptions = {}): Promise<LoadedIndex> {
  const { purpose = 'read' } = options;
  const problems: StoreProblem[] = [];
  const isReading = purpose === 'read';
  // Sessions before all else: one that ends meanwhile has then made durable what it wrote, or is taken for alive still.
  const isUnfinished = isReading ? () => false : await listUnfinished(context, options);
  const generations = await readGenerations(context, {
    ...callOf(options),
    reading: isReading ? 'lenient' : 'strict',
    onProblem: (object, error) => problems.push({ object, error }),
  });
  const tombstoned = purpose === 'write' ? generations.tombstoned : new Set<PackId>();
  const { masks, lost } = await readMasks(
    context,
    { ...generations, tombstoned },
    { ...callOf(options), problems },
  );
  const index = new ChunkIndex(masks, purpose === 'prune' ? await expectedChunks(context, options) : 0);
  const uncertain = new UncertainRows();
  const claims = new Claims();
  const parts = await readParts(context, { problems }, options, (name, { rows, written, host }) => {
    const isCertain = !isUnfinished(name.slice('index/'.length));
    const ofHosts = (row: PackRow) => host ?? written?.get(row.pack);
    for (const row of rows) {
      const claimant = ofHosts(row);
      if (claimant === undefined) index.addPack(row);
      else claims.add(row, { host: claimant, isCertain });
    }
    if (!isReading) uncertain.add(rows, { isCertain });
  });
  const written = await takeClaims(context, { index, claims, problems }, options);
  const replaced = new Set([...parts.values()].flatMap(part => part.replaces.map(id => `index/${id}`)));
  const isDamaged = [...parts].some(([name, part]) => !part.isReadable && !replaced.has(name));
  const { self } = context.ring;
  // What a pack says of itself is not for hosts.
  const mayAskTrailers = self === undefined;
  let asksTrailers = mayAskTrailers && (isDamaged || purpose === 'prune' || options.trailers === 'always');
  // A later part has all that it said: nothing is missing without it.
  problems.splice(0, problems.length, ...problems.filter(({ object }) => !replaced.has(object)));
  const loaded = { index, generations, parts, problems, lost, written };
  if (isReading && !asksTrailers) return { ...loaded, hasTrailers: false, unlisted: [], sizes: new Map() };
  const sizes = await listPacks(context, options);
  if (mayAskTrailers && !asksTrailers) {
    const isOut = (pack: PackId) => index.hasPack(pack) || generations.swept.has(pack) || isUnfinished(pack);
    const without = await snapshotWithoutIndex(context, {
      unlisted: [...sizes.keys()].filter(pack => !isOut(pack)),
      ...callOf(options),
    });
    asksTrailers = without !== undefined;
    if (without !== undefined) problems.push({ object: 'index/', error: partsGone(context, without) });
  }
  if (!isReading) await markAbsent(context, { index, sizes, problems }, options);
  const unlisted: PackRow[] = [];
  if (asksTrailers)
    unlisted.push(
      ...(await recoverRows(context, { index, sizes, problems, isUnfinished, written }, options)),
    );
  unlisted.push(...uncertain.rows().filter(row => sizes.get(row.pack) === packBytesOf(row)));
  // A writer lists again what it depends on: nothing that it doubts, and a host nothing but what is its own.
  const isForMe = (pack: PackId) =>
    purpose !== 'write' || (self === undefined ? !written.has(pack) : written.get(pack) === self.name);
  return {
    ...loaded,
    hasTrailers: asksTrailers,
    sizes,
    unlisted: unlisted.filter(({ pack }) => index.hasPack(pack) && !tombstoned.has(pack) && isForMe(pack)),
  };
}

/**
 * Adds what hosts say of packs that no key holder lists. Where two say different things the pack itself decides. For a
 * writer with the passphrase such packs are as good as damaged until a key holder has read them; for the host that wrote
 * them they are what it knows of its own.
 */
async function takeClaims(
  context: StoreContext,
  { index, claims, problems }: Pick<Recovery, 'index' | 'problems'> & { readonly claims: Claims },
  options: LoadOptions,
): Promise<Map<PackId, string>> {
  const written = new Map<PackId, string>();
  const { self } = context.ring;
  for (const { row, host, isContested, isCertain } of claims) {
    if (index.hasPack(row.pack) || (self !== undefined && host !== self.name)) continue;
    const object = packName(row.pack);
    if (!isContested || self !== undefined) index.addPack(row);
    else
      await tolerate(problems, object, async () => {
        const bytes = await sizeOf(context, object, options);
        index.addPack(await readTrailer(context, { pack: row.pack, bytes }, callOf(options)));
      });
    written.set(row.pack, host);
    if (self === undefined && !isCertain) index.doubt(row.pack);
  }
  if (self !== undefined || written.size === 0 || (options.purpose ?? 'read') === 'read') return written;
  const read = await packsRead(context, options);
  for (const pack of written.keys()) {
    if (!read.has(pack)) index.doubt(pack);
    if (options.purpose !== 'write' || !index.isDoubtful(pack)) continue;
    for (const { frame } of index.framesOf(pack)) index.markBad(frame);
  }
  return written;
}

async function sizeOf({ backend }: StoreContext, object: string, options: LoadOptions): Promise<number> {
  for await (const { name, bytes } of backend.list(object, callOf(options)))
    if (name === object) return bytes;
  throw storeError('STORE_OBJECT_MISSING', `Cannot read ${object}: it is not there`);
}

/**
 * Reads every part. One that went while it was read was replaced: what it said is in another, so the list is made again;
 * one that stays listed and cannot be read is a problem.
 */
async function readParts(
  context: StoreContext,
  { problems }: { readonly problems: StoreProblem[] },
  options: LoadOptions,
  take: (name: string, part: SignedPart) => void,
): Promise<Map<string, PartFacts>> {
  const parts = new Map<string, PartFacts>();
  const missing = new Map<string, Error>();
  for (let names = await listParts(context, options); names.length > 0; ) {
    let hasMissed = false;
    for (const name of names) {
      const part = await readPart(context, name, options);
      if ('rows' in part) {
        take(name, part);
        missing.delete(name);
        const packs = options.purpose === 'prune' ? part.rows.map(({ pack }) => pack) : [];
        parts.set(name, { isReadable: true, replaces: part.replaces, packs, host: part.host });
      } else if (context.ring.self !== undefined && isUntrusted(part)) {
        // Another host's, or nobody's: this one cannot tell, and needs neither.
        parts.set(name, { isReadable: true, replaces: [], packs: [] });
      } else if (part.code === 'STORE_OBJECT_MISSING' && !missing.has(name)) {
        missing.set(name, part);
        hasMissed = true;
      } else {
        missing.delete(name);
        problems.push({ object: name, error: part });
        parts.set(name, { isReadable: false, replaces: [], packs: [] });
      }
    }
    if (!hasMissed) break;
    names = (await listParts(context, options)).filter(name => !parts.has(name));
  }
  return parts;
}

/** Rather too few: a table that is twice as large as it must be costs more than one that grows in the end. */
async function expectedChunks({ backend }: StoreContext, options: LoadOptions): Promise<number> {
  let bytes = 0;
  for await (const part of backend.list('index/', callOf(options))) bytes += part.bytes;
  return Math.floor(bytes / (chunkRowBytes + 4));
}

/** Names of the parts of the index. */
export async function listParts(
  context: StoreContext,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<string[]> {
  return namesOf(context, { prefix: 'index/', pattern: indexPattern }, options);
}

/** A part of the index, and the host without the passphrase that signed it, if one did. */
export type SignedPart = IndexPart & { readonly host: string | undefined };

/** A host says what it wrote, and nothing of what others did. */
export function signedPart(part: IndexPart, host: string | undefined): SignedPart {
  return host === undefined ? { ...part, host } : { ...part, host, replaces: [], written: undefined };
}

/** A part of the index, or why it cannot be read. STORE_NEWER. */
export async function readPart(
  { backend, ring }: StoreContext,
  name: string,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<SignedPart | StillpointError> {
  try {
    const bytes = await backend.get(name, callOf(options));
    const { fields, host } = openRecord(ring, bytes, { kind: 'index', name });
    return signedPart(decodeIndexPart(fields, name), host);
  } catch (error) {
    if (!isStoreError(error) || isBeyondUs(error)) throw error;
    return error;
  }
}

/** Tells by an id of a pack or index part whether its session has not ended: then it may not be durable yet. */
async function listUnfinished(context: StoreContext, options: LoadOptions): Promise<(id: string) => boolean> {
  const names = await namesOf(context, { prefix: 'sessions/', pattern: sessionPattern }, options);
  const alive = new Set(names.map(name => name.slice('sessions/'.length, 'sessions/'.length + 32)));
  return id => alive.has(id.slice(0, 32));
}

/** Rows that only parts of sessions that have not ended list. */
class UncertainRows {
  readonly #certain = new Set<PackId>();
  readonly #uncertain = new Map<PackId, PackRow>();

  add(rows: readonly PackRow[], { isCertain }: { isCertain: boolean }): void {
    for (const row of rows) {
      if (isCertain) this.#certain.add(row.pack);
      else this.#uncertain.set(row.pack, row);
    }
  }

  rows(): PackRow[] {
    return [...this.#uncertain.values()].filter(row => !this.#certain.has(row.pack));
  }
}

function partsGone({ backend }: StoreContext, snapshot: SnapshotId): StillpointError<StoreErrorCode> {
  return storeError(
    'STORE_DAMAGED',
    `Parts of the index of ${backend.location} are gone: none lists packs of snapshot ${snapshot.slice(0, 8)}, which were asked what they hold`,
    { remedy: 'Run `stillpoint repair --index`: it lists them again.', context: { object: 'index/' } },
  );
}

/** Packs and their sizes. Listed after the index was read, so that a pack that the index names must be among them. */
export async function listPacks(
  context: StoreContext,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<Map<PackId, number>> {
  const sizes = new Map<PackId, number>();
  for await (const { name, bytes } of context.backend.list('packs/', callOf(options))) {
    const pack = packPattern.exec(name)?.[1] as PackId | undefined;
    if (pack !== undefined) sizes.set(pack, bytes);
  }
  return sizes;
}

/** Marks what is not there as it should be. A pack that a prune took since the generations were read is no problem. */
async function markAbsent(
  context: StoreContext,
  { index, sizes, problems }: Pick<Recovery, 'index' | 'sizes' | 'problems'>,
  options: LoadOptions,
): Promise<void> {
  const absent = index.packSizes().filter(({ pack, bytes }) => sizes.get(pack) !== bytes);
  if (absent.length === 0) return;
  const { swept } = await readGenerations(context, callOf(options));
  for (const { pack, bytes } of absent) {
    for (const { frame } of index.framesOf(pack)) index.markBad(frame);
    if (swept.has(pack)) continue;
    const found = sizes.get(pack);
    const object = packName(pack);
    const state = found === undefined ? 'it is not there' : `it has ${found} bytes, the index says ${bytes}`;
    const code = found === undefined ? 'STORE_OBJECT_MISSING' : 'STORE_DAMAGED';
    const remedy = 'What is still at hand is stored again; run `stillpoint verify` to see what is affected.';
    problems.push({ object, error: storeError(code, `Cannot use ${object}: ${state}`, { remedy }) });
  }
}

interface Recovery {
  readonly index: ChunkIndex;
  readonly sizes: ReadonlyMap<PackId, number>;
  readonly problems: StoreProblem[];
  readonly isUnfinished: (id: string) => boolean;
  readonly written: Map<PackId, string>;
}

/** Adds the packs that no part lists, from their trailers. */
async function recoverRows(
  context: StoreContext,
  { index, sizes, problems, isUnfinished, written }: Recovery,
  options: LoadOptions,
): Promise<PackRow[]> {
  const recovered: PackRow[] = [];
  for (const [pack, bytes] of sizes) {
    if (isUnfinished(pack) || index.hasPack(pack)) continue;
    await tolerate(problems, packName(pack), async () => {
      const row = await readTrailer(context, { pack, bytes }, callOf(options));
      if (!index.addPack(row)) return;
      recovered.push(row);
      if (!row.isSealedToKey) return;
      written.set(pack, '');
      index.doubt(pack);
      if (options.purpose === 'write') for (const { frame } of index.framesOf(pack)) index.markBad(frame);
    });
  }
  return recovered;
}

/** Whether parts appeared or went since the index was loaded. */
export async function hasIndexChanged(
  context: StoreContext,
  { parts }: LoadedIndex,
  options: LoadOptions = {},
): Promise<boolean> {
  const names = await namesOf(context, { prefix: 'index/', pattern: indexPattern }, options);
  return names.length !== parts.size || names.some(name => !parts.has(name));
}
