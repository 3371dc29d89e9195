import { callsSignatureSql, callsSql, largeObjectCalls } from '../catalog/large-objects.ts';
import type { Relation } from '../catalog/relations.ts';
import type { Connection } from '../connect/connection.ts';
import { rowsSql } from '../connect/copy-relation.ts';
import { segmentBlocks } from './copy.ts';

/** A relation with what is known of its file. */
export interface Sized {
  /** Instead of its blocks. */
  readonly sql?: string;
  /** Gives a text that is equal as long as that statement's rows are. */
  readonly signatureSql?: string;
  readonly relation: Relation;
  readonly heapBlocks: number;
  readonly segmentBlocks: number;
  readonly bytes: number;
}

/** A heap that is read cannot shrink while it is locked; what was added since the pin is invisible to it. */
export async function readSizes(
  connection: Connection,
  relations: readonly Relation[],
  encoding: string,
): Promise<Sized[]> {
  const withRows = relations.filter(one => one.kind === 'table' || one.kind === 'large-objects');
  const rows = await connection.rows<{ oid: number; heap: string; whole: string }>(
    'read the sizes of tables',
    `SELECT o.oid, pg_catalog.pg_relation_size(o.oid)::text AS heap, pg_catalog.pg_table_size(o.oid)::text AS whole
     FROM pg_catalog.unnest('{${withRows.map(one => one.oid).join(',')}}'::oid[]) o (oid)`,
  );
  const sizes = new Map(rows.map(row => [row.oid, row]));
  return withRows.map(relation => {
    if (!relation.isHeap) {
      const whole = { relation, heapBlocks: 0, segmentBlocks: 0, bytes: 0 };
      return relation === largeObjectCalls
        ? { ...whole, sql: callsSql(encoding), signatureSql: callsSignatureSql }
        : { ...whole, sql: rowsSql(relation, { encoding }) };
    }
    const size = sizes.get(relation.oid);
    const heapBytes = Number(size?.heap ?? 0);
    const tableBytes = Number(size?.whole ?? 0);
    return {
      relation,
      heapBlocks: Math.ceil(heapBytes / 8192),
      segmentBlocks: segmentBlocks({ heapBytes, tableBytes }),
      bytes: tableBytes,
    };
  });
}
