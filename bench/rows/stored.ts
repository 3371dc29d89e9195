import {
  addDigests,
  DigestSum,
  emptyDigest,
  equalDigests,
  type RowDigest,
} from '../../engine/database/digest.ts';
import { decodeEntry } from '../../engine/database/postgres/entries/entry.ts';
import type { RelationEntry } from '../../engine/database/postgres/entries/relation-entry.ts';
import type { SegmentEntry } from '../../engine/database/postgres/entries/segment-entry.ts';
import { segmentRows } from '../../engine/database/postgres/rows/reconstruct.ts';
import { RowSplitter } from '../../engine/database/row-splitter.ts';
import { type ChunkSource, type ListingRoot, readListing } from '../../store/index.ts';
import { largeObjectsByCalls, type TableRows } from './truth.ts';

/** A table as a listing has it. */
export interface StoredTable {
  readonly rows: Buffer;
  /** Of the relation's entry, and the sum of its segments'. */
  readonly digests: readonly RowDigest[];
  /** First blocks of segments whose rows do not add up to what they say. */
  readonly wrongSegments: readonly number[];
}

export interface StoredRows {
  readonly tables: ReadonlyMap<string, StoredTable>;
  /** `last value, whether it is called`, by name. */
  readonly sequences: ReadonlyMap<string, string>;
  readonly segments: number;
  /** Most deltas that one segment has, and how many segments have any. */
  readonly deltasMax: number;
  readonly withDeltas: number;
}

interface ReadSegment {
  readonly rows: Buffer;
  readonly isSummed: boolean;
}

/** Segments that were read before, by all that their entries say: what they refer to is named by its contents. */
export type KnownSegments = Map<string, ReadSegment>;

/** Every row that a listing stands for; without those that are an extension's. */
export async function readStored(
  listing: { readonly source: ChunkSource; readonly root: ListingRoot },
  options: { readonly digestKey: Uint8Array; readonly known?: KnownSegments },
): Promise<StoredRows> {
  const { source, root } = listing;
  const sequences = new Map<string, string>();
  const parts = new Map<string, Buffer[]>();
  const sums = new Map<string, RowDigest>();
  const wrong = new Map<string, number[]>();
  const tables = new Map<string, StoredTable>();
  const counts = { segments: 0, deltasMax: 0, withDeltas: 0 };
  for await (const entry of readListing(source, root)) {
    const one = decodeEntry(entry);
    if (one.entry === 'segment') {
      const name = `${one.schema}.${one.name}`;
      const key = JSON.stringify(entry, asText);
      const read = options.known?.get(key) ?? (await readSegment(source, one, options.digestKey));
      options.known?.set(key, read);
      parts.set(name, [...(parts.get(name) ?? []), read.rows]);
      sums.set(name, addDigests(sums.get(name) ?? emptyDigest, one.digest));
      if (!read.isSummed) wrong.set(name, [...(wrong.get(name) ?? []), one.first]);
      counts.segments += 1;
      counts.deltasMax = Math.max(counts.deltasMax, one.deltas.length);
      if (one.deltas.length > 0) counts.withDeltas += 1;
    } else if (one.entry === 'sequence') {
      sequences.set(`${one.schema}.${one.name}`, `${one.lastValue} ${one.isCalled}`);
    } else if (one.entry === 'relation' && hasRows(one)) {
      const name = `${one.schema}.${one.name}`;
      const isByCalls = one.kind === 'large-objects' && one.segmentBlocks === 0;
      tables.set(isByCalls ? largeObjectsByCalls : name, {
        rows: Buffer.concat(parts.get(name) ?? []),
        digests: [one.digest, sums.get(name) ?? emptyDigest],
        wrongSegments: wrong.get(name) ?? [],
      });
    }
  }
  return { tables, sequences, ...counts };
}

async function readSegment(
  source: ChunkSource,
  segment: SegmentEntry,
  digestKey: Uint8Array,
): Promise<ReadSegment> {
  const parts: Buffer[] = [];
  for await (const bytes of segmentRows(source, segment)) parts.push(Buffer.from(bytes));
  const rows = Buffer.concat(parts);
  return { rows, isSummed: equalDigests(digestOf(rows, digestKey), segment.digest) };
}

function asText(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}

function hasRows(relation: RelationEntry): boolean {
  return relation.kind === 'large-objects' || (relation.kind === 'table' && relation.condition === null);
}

/** Large objects are stored in one of these. */
const ways = ['pg_catalog.pg_largeobject', largeObjectsByCalls];

/** Sequences that differ. */
export function sequenceDifferences(
  stored: ReadonlyMap<string, string>,
  truth: ReadonlyMap<string, string>,
): string[] {
  const names = [...new Set([...stored.keys(), ...truth.keys()])].sort();
  return names
    .filter(name => stored.get(name) !== truth.get(name))
    .map(name => `sequence ${name}: ${stored.get(name) ?? 'none'}, not ${truth.get(name) ?? 'any'}`);
}

/** Where what was stored differs from the truth; empty where it does not. */
export function differences(
  stored: Pick<StoredRows, 'tables'>,
  truth: TableRows,
  digestKey: Uint8Array,
): string[] {
  const found: string[] = [];
  for (const [name, rows] of truth) {
    const table = stored.tables.get(name);
    if (!table) {
      const isThere = ways.includes(name) && (rows.length === 0 || ways.some(way => stored.tables.has(way)));
      if (!isThere) found.push(`${name}: is not there`);
      continue;
    }
    if (!table.rows.equals(rows)) found.push(`${name}: ${rowDifference(table.rows, rows)}`);
    const digest = digestOf(rows, digestKey);
    if (!table.digests.every(one => equalDigests(one, digest))) found.push(`${name}: the digest is wrong`);
    for (const first of table.wrongSegments)
      found.push(`${name}: the digest of the segment from block ${first} is wrong`);
  }
  for (const name of stored.tables.keys()) if (!truth.has(name)) found.push(`${name}: should not be there`);
  return found;
}

/** Of rows that were asked about last, by the key: most tables are as they were a backup ago. */
const digests = new WeakMap<Uint8Array, { rows: Buffer; digest: RowDigest }[]>();

/** The same rows are asked about again and again. */
function digestOf(rows: Buffer, key: Uint8Array): RowDigest {
  const known = digests.get(key) ?? [];
  digests.set(key, known);
  const found = known.find(one => one.rows.equals(rows));
  if (found) return found.digest;
  const digest = sumOf(rows, key);
  known.unshift({ rows, digest });
  known.splice(digestsKept);
  return digest;
}

const digestsKept = 60;

function sumOf(rows: Buffer, key: Uint8Array): RowDigest {
  const digest = new DigestSum(key);
  new RowSplitter({ digest }).split(rows, new Uint8Array(rows.length));
  return digest.result();
}

function rowDifference(stored: Buffer, truth: Buffer): string {
  const lines = (bytes: Buffer): string[] => bytes.toString('latin1').split('\n').slice(0, -1);
  const left = new Map<string, number>();
  for (const line of lines(truth)) left.set(line, (left.get(line) ?? 0) + 1);
  const extra = lines(stored).filter(line => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
  const lacking = [...left].filter(([, count]) => count > 0).map(([line]) => line);
  if (extra.length === 0 && lacking.length === 0) return 'the rows are in another order';
  const sample = (some: readonly string[]): string =>
    some
      .slice(0, 3)
      .map(line => JSON.stringify(line.slice(0, 80)))
      .join(' ');
  return `${lacking.length} rows are missing (${sample(lacking)}), ${extra.length} should not be there (${sample(extra)})`;
}
