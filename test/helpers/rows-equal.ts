import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import pg from 'pg';
import copyStreams from 'pg-copy-streams';
import { DigestSum, equalDigests } from '../../engine/database/postgres/digest.ts';
import { decodeEntry } from '../../engine/database/postgres/entry.ts';
import { segmentRows } from '../../engine/database/postgres/reconstruct.ts';
import type { RelationEntry } from '../../engine/database/postgres/relation-entry.ts';
import { RowSplitter } from '../../engine/database/postgres/rows.ts';
import type { SegmentEntry } from '../../engine/database/postgres/segment-entry.ts';
import { type ChunkSource, type ListingRoot, readListing } from '../../store/index.ts';

export interface StoredRows {
  readonly source: ChunkSource;
  readonly root: ListingRoot;
  readonly digestKey: Uint8Array;
}

interface StoredTable {
  readonly relation: RelationEntry;
  readonly segments: readonly SegmentEntry[];
}

/**
 * Compares every table of a listing with a whole COPY of it under the snapshot that the listing was made from: equal
 * bytes in the order of the heap, and digests that say so. Call it while that snapshot is still held.
 */
export async function assertRowsEqual(
  view: { readonly url: string; readonly exportedSnapshot: string },
  stored: StoredRows,
): Promise<{ readonly tables: number; readonly rows: number }> {
  const client = new pg.Client({ connectionString: view.url });
  await client.connect();
  try {
    await client.query(
      `SELECT ${settings.map(([name, value]) => `set_config('${name}', '${value}', false)`).join(', ')}`,
    );
    await client.query(
      `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '${view.exportedSnapshot}'`,
    );
    const total = { tables: 0, rows: 0 };
    for (const table of await readTables(stored)) {
      const { relation } = table;
      if (relation.segmentBlocks === 0 && relation.kind === 'large-objects') continue; // made of calls
      const name = `${relation.schema}.${relation.name}`;
      const expected = hashOf(copyRows(client, relation));
      const found = hashOf(storedRows(stored, table));
      if ((await expected) !== (await found)) {
        const difference = firstDifference(
          await rowsOf(copyRows(client, relation)),
          await rowsOf(storedRows(stored, table)),
        );
        assert.fail(`${name} is not what the server has: ${difference}`);
      }
      await checkDigests(stored, table);
      total.tables += 1;
      total.rows += relation.digest.rows;
    }
    return total;
  } finally {
    await client.end();
  }
}

const settings: readonly (readonly [string, string])[] = [
  ['timezone', 'UTC'],
  ['datestyle', 'ISO,YMD'],
  ['intervalstyle', 'postgres'],
  ['extra_float_digits', '3'],
  ['bytea_output', 'hex'],
  ['lc_monetary', 'C'],
  ['xmloption', 'content'],
  ['search_path', ''],
  ['row_security', 'off'],
  ['synchronize_seqscans', 'off'],
  ['max_parallel_workers_per_gather', '0'],
];

async function readTables(stored: StoredRows): Promise<StoredTable[]> {
  const relations: RelationEntry[] = [];
  const segments = new Map<string, SegmentEntry[]>();
  for await (const entry of readListing(stored.source, stored.root)) {
    const one = decodeEntry(entry);
    const named = () => `${one.entry === 'segment' ? `${one.schema}\0${one.name}` : ''}`;
    if (one.entry === 'relation' && (one.kind === 'table' || one.kind === 'large-objects'))
      relations.push(one);
    if (one.entry === 'segment') segments.set(named(), [...(segments.get(named()) ?? []), one]);
  }
  return relations.map(relation => ({
    relation,
    segments: segments.get(`${relation.schema}\0${relation.name}`) ?? [],
  }));
}

async function* copyRows(client: pg.Client, relation: RelationEntry): AsyncGenerator<Uint8Array> {
  const quote = (name: string) => client.escapeIdentifier(name);
  const columns = relation.columns.map(quote).join(', ');
  const from = `ONLY ${quote(relation.schema)}.${quote(relation.name)}`;
  const encoding = (await client.query("SELECT current_setting('server_encoding') AS encoding")).rows[0]
    .encoding;
  const sql = `COPY (SELECT ${columns} FROM ${from} ${relation.condition ?? ''}) TO STDOUT (ENCODING '${encoding}')`;
  yield* client.query(copyStreams.to(sql)) as AsyncIterable<Uint8Array>;
}

async function* storedRows(stored: StoredRows, table: StoredTable): AsyncGenerator<Uint8Array> {
  for (const segment of table.segments) yield* segmentRows(stored.source, segment);
}

async function hashOf(parts: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of parts) hash.update(part);
  return hash.digest('hex');
}

async function rowsOf(parts: AsyncIterable<Uint8Array>): Promise<string[]> {
  const whole: Uint8Array[] = [];
  for await (const part of parts) whole.push(part.slice());
  return Buffer.concat(whole).toString('latin1').split('\n').slice(0, -1);
}

function firstDifference(expected: readonly string[], found: readonly string[]): string {
  const at = expected.findIndex((row, i) => row !== found[i]);
  const number = at < 0 ? expected.length : at;
  return `row ${number} of ${expected.length} is ${JSON.stringify(expected[number])}, stored (${found.length} rows) ${JSON.stringify(found[number])}`;
}

/** What the entries say of their rows is what their rows add up to. */
async function checkDigests(stored: StoredRows, { relation, segments }: StoredTable): Promise<void> {
  const whole = new DigestSum(stored.digestKey);
  const wholeRows = new RowSplitter({ digest: whole });
  for (const segment of segments) {
    const digest = new DigestSum(stored.digestKey);
    const splitter = new RowSplitter({ digest });
    for await (const part of segmentRows(stored.source, segment)) {
      splitter.split(part, new Uint8Array(part.length));
      wholeRows.split(part, new Uint8Array(part.length));
    }
    assert.ok(
      equalDigests(digest.result(), segment.digest),
      `digest of ${segment.schema}.${segment.name} from block ${segment.first}`,
    );
  }
  assert.ok(equalDigests(whole.result(), relation.digest), `digest of ${relation.schema}.${relation.name}`);
}
