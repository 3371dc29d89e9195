import type { StoreContext } from '../context.ts';
import { storeError } from '../errors.ts';
import type { PackId } from '../ids.ts';
import { readTrailer } from '../pack/reader.ts';
import { type PackRow, packName } from '../pack/row.ts';
import { packBytesOf } from '../pack/trailer.ts';
import { openRecord } from '../record.ts';
import { ChunkIndex } from './chunk-index.ts';
import { callOf, namesOf, readMasks, type StoreProblem, tolerate } from './masks.ts';
import { decodeIndexPart } from './parts.ts';

/** Everything that is known about where chunks are. */
export interface LoadedIndex {
  readonly index: ChunkIndex;
  /** Names under index/ when it was loaded. */
  readonly parts: ReadonlySet<string>;
  readonly problems: readonly StoreProblem[];
  /** Rows that no part lists that is readable and durable for certain: who depends on them lists them again. */
  readonly unlisted: readonly PackRow[];
  /** Packs that no part lists were asked themselves. */
  readonly hasTrailers: boolean;
}

interface LoadOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * 'write': what new snapshots may depend on. Packs that are not there, or have another size than listed, count as
   * damaged, so that their chunks are stored again.
   */
  readonly purpose?: 'read' | 'write';
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
  const problems: StoreProblem[] = [];
  const isWriting = options.purpose === 'write';
  // Sessions before all else: one that ends meanwhile has then made durable what it wrote, or is taken for alive still.
  const isUnfinished = isWriting ? await listUnfinished(context, options) : () => false;
  const index = new ChunkIndex(await readMasks(context, problems, options));
  const parts = new Set<string>();
  const uncertain = new UncertainRows();
  for (const name of await namesOf(context, { prefix: 'index/', pattern: indexPattern }, options)) {
    parts.add(name);
    await tolerate(problems, name, async () => {
      const bytes = await context.backend.get(name, callOf(options));
      const { fields } = openRecord(context.ring, bytes, { kind: 'index', name });
      const { rows } = decodeIndexPart(fields, name);
      for (const row of rows) index.addPack(row);
      if (isWriting) uncertain.add(rows, { isCertain: !isUnfinished(name.slice('index/'.length)) });
    });
  }
  const isDamaged = problems.some(problem => parts.has(problem.object));
  const asksTrailers = isDamaged || options.trailers === 'always';
  const unlisted: PackRow[] = [];
  if (asksTrailers || isWriting) {
    const sizes = await listPacks(context, options);
    if (isWriting) markAbsent(index, sizes, problems);
    if (asksTrailers)
      unlisted.push(...(await recoverRows(context, { index, sizes, problems, isUnfinished }, options)));
    unlisted.push(...uncertain.rows().filter(row => sizes.get(row.pack) === packBytesOf(row)));
  }
  return { index, parts, problems, unlisted, hasTrailers: asksTrailers };
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

/** Listed after the index was read, so that a pack that the index names must be among them. */
async function listPacks(context: StoreContext, options: LoadOptions): Promise<Map<PackId, number>> {
  const sizes = new Map<PackId, number>();
  for await (const { name, bytes } of context.backend.list('packs/', callOf(options))) {
    const pack = packPattern.exec(name)?.[1] as PackId | undefined;
    if (pack !== undefined) sizes.set(pack, bytes);
  }
  return sizes;
}

function markAbsent(index: ChunkIndex, sizes: ReadonlyMap<PackId, number>, problems: StoreProblem[]): void {
  for (const { pack, bytes } of index.packSizes()) {
    const found = sizes.get(pack);
    if (found === bytes) continue;
    for (const { frame } of index.framesOf(pack)) index.markBad(frame);
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
}

/** Adds the packs that no part lists, from their trailers. */
async function recoverRows(
  context: StoreContext,
  { index, sizes, problems, isUnfinished }: Recovery,
  options: LoadOptions,
): Promise<PackRow[]> {
  const recovered: PackRow[] = [];
  for (const [pack, bytes] of sizes) {
    if (isUnfinished(pack) || index.hasPack(pack)) continue;
    await tolerate(problems, packName(pack), async () => {
      const row = await readTrailer(context, { pack, bytes }, callOf(options));
      if (index.addPack(row)) recovered.push(row);
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
