import type { CborValue } from '../cbor.ts';
import type { Fields } from '../cbor-fields.ts';
import { storeError } from '../errors.ts';
import { fromHex, hex, type PackId } from '../ids.ts';
import { checkRow, type PackRow } from '../pack/row.ts';
import type { RecordFields } from '../record.ts';

/** A part of the index: the rows of some packs. Together the parts are the index. */
export interface IndexPart {
  /** In ascending order of pack ids. */
  readonly rows: readonly PackRow[];
  /** Ids of parts whose rows are all here. They are deleted by a later generation, and harmless until then. */
  readonly replaces: readonly string[];
  /** Those of the packs that write-only hosts wrote, by the host's name ('' where it is not known). */
  readonly written?: ReadonlyMap<PackId, string> | undefined;
}

const fields = { rows: 1, replaces: 2, written: 3 } as const;
const classes = ['data', 'metadata'] as const;

/** The record of `index/<id>`. */
export function encodeIndexPart(part: IndexPart): RecordFields {
  const rows = [...part.rows].sort((a, b) => (a.pack < b.pack ? -1 : 1));
  return new Map<number, CborValue>([
    [
      fields.rows,
      rows.map(row => [fromHex(row.pack), classes.indexOf(row.chunkClass), row.frames, row.chunks]),
    ],
    [fields.replaces, [...part.replaces].sort().map(fromHex)],
    ...encodeWritten(rows, part.written),
  ]);
}

/** [host, ids], ascending by host; absent where there is none, as in every part of a store without hosts. */
function encodeWritten(rows: readonly PackRow[], written: IndexPart['written']): [number, CborValue][] {
  const byHost = new Map<string, PackId[]>();
  for (const { pack } of rows) {
    const host = written?.get(pack);
    if (host !== undefined) byHost.set(host, [...(byHost.get(host) ?? []), pack]);
  }
  if (byHost.size === 0) return [];
  const hosts = [...byHost].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return [[fields.written, hosts.map(([host, packs]) => [host, fromHex(packs.join(''))])]];
}

function decodeWritten(record: Fields, name: string): ReadonlyMap<PackId, string> {
  const written = new Map<PackId, string>();
  for (const value of record.has(fields.written) ? record.list(fields.written) : []) {
    const [host, ids] = Array.isArray(value) && value.length === 2 ? value : [];
    if (typeof host !== 'string' || !(ids instanceof Uint8Array) || ids.length === 0 || ids.length % 32 !== 0)
      throw malformed(name, 'its list of hosts is malformed');
    for (let at = 0; at < ids.length; at += 32) written.set(hex(ids.subarray(at, at + 32)) as PackId, host);
  }
  return written;
}

/** Every row is checked. STORE_DAMAGED. */
export function decodeIndexPart(record: Fields, name: string): IndexPart {
  const part: IndexPart = {
    rows: record.list(fields.rows).map(row => decodeRow(row, name)),
    replaces: record.list(fields.replaces).map(id => idFrom(id, name)),
    written: decodeWritten(record, name),
  };
  ascending(
    part.rows.map(row => row.pack),
    name,
  );
  ascending(part.replaces, name);
  return part;
}

function decodeRow(value: CborValue, name: string): PackRow {
  const [pack, chunkClass, frames, chunks] = Array.isArray(value) && value.length === 4 ? value : [];
  if (
    !(frames instanceof Uint8Array) ||
    !(chunks instanceof Uint8Array) ||
    (chunkClass !== 0 && chunkClass !== 1)
  )
    throw malformed(name, 'a row is malformed');
  const id = idFrom(pack ?? null, name) as PackId;
  const row: PackRow = { pack: id, chunkClass: chunkClass === 0 ? 'data' : 'metadata', frames, chunks };
  return checkRow(row, `${name}, pack ${id.slice(0, 12)}…`);
}

function idFrom(value: CborValue, name: string): string {
  if (!(value instanceof Uint8Array) || value.length !== 32) throw malformed(name, 'an id is not 32 bytes');
  return hex(value);
}

function ascending(ids: readonly string[], name: string): void {
  for (let i = 1; i < ids.length; i++)
    if (ids[i - 1]! >= ids[i]!) throw malformed(name, 'ids are not in ascending order');
}

function malformed(name: string, state: string): Error {
  return storeError('STORE_DAMAGED', `Cannot read ${name}: ${state}`, { context: { object: name } });
}
