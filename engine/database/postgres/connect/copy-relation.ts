import type { RowDigest } from '../../digest.ts';
import type { RelationEntry } from '../entries/relation-entry.ts';
import { identifier, literal, qualified } from '../sql/quoting.ts';
import type { Connection } from './connection.ts';
import { copyOut } from './copy-stream.ts';

type Columns = Pick<RelationEntry, 'schema' | 'name' | 'columns' | 'condition'>;

/** The rows of a relation as one statement; with a range: only those, each with its ctid in front. */
export function rowsSql(
  relation: Columns,
  options: {
    readonly encoding: string;
    readonly range?: { readonly first: number; readonly blocks: number };
    /** Only rows in these blocks, without ctids; where an end is missing, all to that side. */
    readonly part?: { readonly from: number | undefined; readonly to: number | undefined };
  },
): string {
  const { range, part } = options;
  const columns = [...(range ? ['t.ctid'] : []), ...columnsOf(relation)];
  // The extension wrote its condition against the bare table.
  const from = relation.condition
    ? `(SELECT ctid, * FROM ONLY ${qualified(relation)} ${relation.condition}) t`
    : `ONLY ${qualified(relation)} t`;
  const first = range ? range.first : part?.from;
  const end = range ? range.first + range.blocks : part?.to;
  const bounds = [
    ...(first === undefined ? [] : [`t.ctid >= '(${first},0)'::pg_catalog.tid`]),
    ...(end === undefined ? [] : [`t.ctid < '(${end},0)'::pg_catalog.tid`]),
  ];
  const where = bounds.length === 0 ? '' : ` WHERE ${bounds.join(' AND ')}`;
  return copyOutSql(`SELECT ${columns.join(', ')} FROM ${from}${where}`, options);
}

export function columnsOf(relation: Pick<RelationEntry, 'columns'>): string[] {
  return relation.columns.map(name => `t.${identifier(name)}`);
}

export function copyOutSql(select: string, options: { readonly encoding: string }): string {
  return `COPY (${select}) TO STDOUT (FORMAT text, ENCODING ${literal(options.encoding)})`;
}

/** The digest of a whole relation, as the server has it now. */
export function readDigest(
  connection: Connection,
  relation: Columns,
  options: { readonly encoding: string; readonly digestKey: Uint8Array; readonly sql?: string | undefined },
): Promise<RowDigest> {
  return copyOut(connection, {
    action: actionOn(relation),
    sql: options.sql ?? rowsSql(relation, options),
    digestKey: options.digestKey,
    hasPlaces: false,
  });
}

export function actionOn(relation: Pick<RelationEntry, 'schema' | 'name'>): string {
  return `read ${relation.schema}.${relation.name}`;
}
