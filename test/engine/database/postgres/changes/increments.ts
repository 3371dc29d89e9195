import assert from 'node:assert/strict';
import type { DatabasePrecopied, TableCache } from '../../../../../engine/database/database.ts';
import { decodeEntry } from '../../../../../engine/database/postgres/entries/entry.ts';
import type { SegmentEntry } from '../../../../../engine/database/postgres/entries/segment-entry.ts';
import type {
  PostgresBase,
  PostgresOptions,
  PostgresPin,
  PostgresResult,
} from '../../../../../engine/database/postgres/index.ts';
import { readListing } from '../../../../../store/index.ts';
import type { MemoryChunks } from '../../../../helpers/memory-chunks.ts';
import { assertRowsEqual } from '../../../../helpers/rows-equal.ts';
import { connect, digestKey } from '../on-servers.ts';

export interface Increment {
  readonly result: PostgresResult;
  readonly pin: PostgresPin;
  readonly precopied: DatabasePrecopied | undefined;
  readonly rows: number;
}

export interface IncrementOptions extends Partial<PostgresOptions> {
  readonly base?: Partial<PostgresBase>;
  readonly cache?: TableCache | undefined;
  readonly audits?: boolean;
  readonly precopy?: 'new' | 'all';
  readonly source?: PostgresBase['source'];
  readonly beforePrecopy?: () => Promise<unknown>;
  readonly beforePin?: () => Promise<unknown>;
  readonly afterPin?: () => Promise<unknown>;
  /** Compares every table with a COPY of it under the same snapshot; so unless told. */
  readonly compare?: boolean;
}

/** A backup on top of an earlier one, compared with the whole at the same pin. */
export async function increment(
  url: string,
  chunks: MemoryChunks,
  previous: Increment | null,
  options: IncrementOptions = {},
): Promise<Increment> {
  await using source = await connect(url, options);
  const base = previous && { ...baseOf(chunks, previous), ...options.base };
  await source.prepare({ base });
  const job = {
    sink: chunks,
    source: options.source ?? chunks,
    cuts: chunks.cuts,
    digestKey,
    cache: options.cache,
    audits: options.audits,
  };
  await options.beforePrecopy?.();
  const precopied = options.precopy && (await source.precopy({ ...job, mode: options.precopy }));
  await options.beforePin?.();
  const pin = await source.pin();
  await options.afterPin?.();
  const result = await source.finish(job);
  const stored = { source: chunks, root: result.root, digestKey };
  const { exportedSnapshot } = pin;
  if (options.compare === false) return { result, pin, precopied, rows: result.rows };
  const { rows } = await assertRowsEqual({ url, exportedSnapshot }, stored);
  return { result, pin, precopied, rows };
}

export function baseOf(chunks: MemoryChunks, { result }: Increment): PostgresBase {
  const { root, xmin, xmax, lsn, publishable } = result;
  return { source: chunks, has: () => true, root, xmin, xmax, lsn, publishable };
}

/** The stored segments of a table. */
export async function segmentsOf(
  chunks: MemoryChunks,
  { result }: Increment,
  table: string,
): Promise<SegmentEntry[]> {
  const segments: SegmentEntry[] = [];
  for await (const entry of readListing(chunks, result.root)) {
    const one = decodeEntry(entry);
    if (one.entry === 'segment' && `${one.schema}.${one.name}` === table) segments.push(one);
  }
  return segments;
}

export function assertUnchanged(now: Increment, before: Increment): void {
  assert.deepEqual(now.result.root, before.result.root, 'the listing is the base itself');
  assert.equal(now.result.changedSegments, 0);
  assert.equal(now.result.readBytes, 0);
}

export function memoryCache(): TableCache & { readonly rows: Map<string, Uint8Array> } {
  const rows = new Map<string, Uint8Array>();
  return {
    rows,
    get: async (_, id) => rows.get(Buffer.from(id).toString('hex')),
    put: (_, id, bytes) => void rows.set(Buffer.from(id).toString('hex'), new Uint8Array(bytes)),
    keep: () => {},
  };
}
