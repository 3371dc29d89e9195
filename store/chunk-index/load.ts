import type { StoreContext } from '../context.ts';
import { storeError } from '../errors.ts';
import type { PackId } from '../ids.ts';
import { readTrailer } from '../pack/reader.ts';
import { type PackRow, packName } from '../pack/row.ts';
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
  /** Rows that no readable index part has, from the packs themselves; empty unless that was needed. */
  readonly recovered: readonly PackRow[];
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
  const masks = await readMasks(context, problems, options);
  const index = new ChunkIndex(masks);
  const parts = new Set<string>();
  for (const name of await namesOf(context, { prefix: 'index/', pattern: indexPattern }, options)) {
    parts.add(name);
    await tolerate(problems, name, async () => {
      const bytes = await context.backend.get(name, callOf(options));
      const { fields } = openRecord(context.ring, bytes, { kind: 'index', name });
      for (const row of decodeIndexPart(fields, name).rows) index.addPack(row);
    });
  }
  const isDamaged = problems.some(problem => parts.has(problem.object));
  const asksTrailers = isDamaged || options.trailers === 'always';
  const recovered: PackRow[] = [];
  if (asksTrailers || options.purpose === 'write') {
    const packs = await listPacks(context, options);
    if (options.purpose === 'write') markAbsent(index, packs.sizes, problems);
    if (asksTrailers) recovered.push(...(await recoverRows(context, { index, packs, problems }, options)));
  }
  return { index, parts, problems, recovered };
}

interface ListedPacks {
  readonly sizes: ReadonlyMap<PackId, number>;
  /** Whether its session has not ended: then nobody has said that the pack is durable. */
  isUnfinished(pack: PackId): boolean;
}

/** Listed after the index was read, so that a pack that the index names must be among them. */
async function listPacks(context: StoreContext, options: LoadOptions): Promise<ListedPacks> {
  // Sessions before packs: one that ends in between has then made its packs durable, or is taken for alive still.
  const alive = new Set<string>();
  if (options.purpose === 'write')
    for (const name of await namesOf(context, { prefix: 'sessions/', pattern: sessionPattern }, options))
      alive.add(name.slice('sessions/'.length, 'sessions/'.length + 32));
  const sizes = new Map<PackId, number>();
  for await (const { name, bytes } of context.backend.list('packs/', callOf(options))) {
    const pack = packPattern.exec(name)?.[1] as PackId | undefined;
    if (pack !== undefined) sizes.set(pack, bytes);
  }
  return { sizes, isUnfinished: pack => alive.has(pack.slice(0, 32)) };
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

/** Adds the packs that no part lists, from their trailers. */
async function recoverRows(
  context: StoreContext,
  { index, packs, problems }: { index: ChunkIndex; packs: ListedPacks; problems: StoreProblem[] },
  options: LoadOptions,
): Promise<PackRow[]> {
  const recovered: PackRow[] = [];
  for (const [pack, bytes] of packs.sizes) {
    if (packs.isUnfinished(pack) || index.hasPack(pack)) continue;
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
