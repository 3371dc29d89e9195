import type { StoreContext } from '../context.ts';
import { isStoreError } from '../errors.ts';
import type { PackId } from '../ids.ts';
import { readTrailer } from '../pack/reader.ts';
import type { PackRow } from '../pack/row.ts';
import { type DamageRecord, damageRecord } from '../protocol/records.ts';
import { openRecord } from '../record.ts';
import { ChunkIndex, type Damaged } from './chunk-index.ts';
import { decodeIndexPart } from './parts.ts';

/** An object that could not be read, and what was done without it. */
export interface StoreProblem {
  readonly object: string;
  readonly error: Error;
}

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
  /** Read the trailers of packs that no part lists, even if every part is whole. */
  readonly trailers?: 'always' | 'when damaged';
}

const indexPattern = /^index\/[0-9a-f]{64}$/;
const damagePattern = /^damage\/[0-9a-f]{64}$/;
const packPattern = /^packs\/[0-9a-f]{2}\/([0-9a-f]{64})$/;

/**
 * Reads the effective index. A part that cannot be read is a problem, not an empty part: the packs that are then in no
 * part are asked themselves.
 */
export async function loadIndex(context: StoreContext, options: LoadOptions = {}): Promise<LoadedIndex> {
  const problems: StoreProblem[] = [];
  const index = new ChunkIndex(await readDamage(context, problems, options));
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
  const recovered =
    isDamaged || options.trailers === 'always'
      ? await recoverRows(context, { index, problems }, options)
      : [];
  return { index, parts, problems, recovered };
}

/** Adds the packs that no part lists, from their trailers. */
async function recoverRows(
  context: StoreContext,
  { index, problems }: { index: ChunkIndex; problems: StoreProblem[] },
  options: LoadOptions,
): Promise<PackRow[]> {
  const recovered: PackRow[] = [];
  for await (const { name, bytes } of context.backend.list('packs/', callOf(options))) {
    const pack = packPattern.exec(name)?.[1] as PackId | undefined;
    if (pack === undefined || index.hasPack(pack)) continue;
    await tolerate(problems, name, async () => {
      const row = await readTrailer(context, { pack, bytes }, callOf(options));
      index.addPack(row);
      recovered.push(row);
    });
  }
  return recovered;
}

export async function readDamage(
  context: StoreContext,
  problems: StoreProblem[],
  options: LoadOptions,
): Promise<Damaged | undefined> {
  const records: DamageRecord[] = [];
  for (const name of await namesOf(context, { prefix: 'damage/', pattern: damagePattern }, options)) {
    await tolerate(problems, name, async () => {
      const bytes = await context.backend.get(name, callOf(options));
      records.push(
        damageRecord.decode(openRecord(context.ring, bytes, { kind: 'damage', name }).fields, name),
      );
    });
  }
  return records.length === 0 ? undefined : damagedBy(records);
}

function damagedBy(records: readonly DamageRecord[]): Damaged {
  const whole = new Set<PackId>();
  const frames = new Set<string>();
  for (const { pack, ordinals } of records) {
    if (ordinals === undefined) whole.add(pack);
    else for (const ordinal of ordinals) frames.add(`${pack}/${ordinal}`);
  }
  return { has: (pack, ordinal) => whole.has(pack) || frames.has(`${pack}/${ordinal}`) };
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

async function namesOf(
  { backend }: StoreContext,
  { prefix, pattern }: { prefix: string; pattern: RegExp },
  options: LoadOptions,
): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of backend.list(prefix, callOf(options)))
    if (pattern.test(name)) names.push(name);
  return names;
}

/** What one object cannot give is a problem to report; a store that needs a newer program is the end. */
async function tolerate(problems: StoreProblem[], object: string, read: () => Promise<void>): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (!isStoreError(error) || error.code === 'STORE_NEWER') throw error;
    problems.push({ object, error });
  }
}

function callOf({ signal }: LoadOptions): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
