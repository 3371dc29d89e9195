import type { Relation } from '../catalog/relations.ts';
import type { Connection } from '../connect/connection.ts';
import { databaseError } from '../connect/failure.ts';
import { qualified } from '../sql/quoting.ts';

/** Block by block: live rows, and how many of them are not older than a transaction id. */
export interface Signature {
  readonly first: number;
  readonly counts: Uint16Array;
  /** By block of the heap; blocks without such rows are left out. */
  readonly fresh: ReadonlyMap<number, number>;
}

/** Some blocks of a table, in the order asked for, and the transaction id (64 bits) from which on rows count as new. */
export interface Question {
  readonly relation: Pick<Relation, 'schema' | 'name'>;
  readonly first: number;
  readonly blocks: number;
  readonly threshold: bigint;
}

/** True of rows that are not older than the id. Transaction ids go round: the caller knows that fewer than 2³¹ passed. */
export function isFreshSql(threshold: bigint): string {
  return `pg_catalog.age(t.xmin) BETWEEN 0 AND (SELECT pg_catalog.age('${threshold & 0xffffffffn}'::xid))`;
}

/**
 * The exact change test. A row that is visible and older than the base's xmin was visible to the base, at the same
 * place; and old rows can only disappear. So a block with no new row and as many rows as before has the same rows.
 *
 * All questions go to the server in one message: it answers a small table in less time than a message takes it.
 */
export async function readSignatures(
  connection: Connection,
  questions: readonly Question[],
): Promise<Signature[]> {
  const [first, ...others] = questions;
  if (!first) return [];
  const more = others.length === 0 ? '' : ` and ${others.length} tables more`;
  const action = `look for changes in ${first.relation.schema}.${first.relation.name}${more}`;
  const answers = await connection.script(action, questions.map(signatureSql));
  return questions.map((question, i) => {
    const signature = signatureFrom(answers[i]?.[0] as readonly (string | null)[] | undefined, question);
    if (signature.counts.length === question.blocks) return signature;
    const { schema, name } = question.relation;
    const came = `${signature.counts.length} of ${question.blocks} blocks came`;
    throw databaseError(`look for changes in ${schema}.${name}`, new Error(came));
  });
}

const signatureSql = ({ relation, first, blocks, threshold }: Question): string =>
  `SELECT pg_catalog.string_agg(x.n::text, ',' ORDER BY s.b) AS counts,
     pg_catalog.string_agg(s.b || ':' || x.nw, ',' ORDER BY s.b) FILTER (WHERE x.nw > 0) AS fresh
   FROM pg_catalog.generate_series(${first}::int8, ${first + blocks - 1}::int8) s (b), LATERAL (
     SELECT pg_catalog.count(*) AS n, pg_catalog.count(*) FILTER (WHERE ${isFreshSql(threshold)}) AS nw
     FROM ONLY ${qualified(relation)} t
     WHERE t.ctid >= ('(' || s.b || ',0)')::tid AND t.ctid < ('(' || s.b + 1 || ',0)')::tid) x`;

function signatureFrom(row: readonly (string | null)[] | undefined, { first }: Question): Signature {
  const [counts, fresh] = row ?? [];
  return {
    first,
    counts: Uint16Array.from(counts?.split(',') ?? [], Number),
    fresh: new Map((fresh?.split(',') ?? []).map(pair => pair.split(':').map(Number) as [number, number])),
  };
}

/** Rows in some blocks that are not older than an id: how many. */
export async function countFresh(
  connection: Connection,
  question: {
    readonly relation: Pick<Relation, 'schema' | 'name'>;
    readonly blocks: readonly number[];
    readonly threshold: bigint;
  },
): Promise<number> {
  const { relation, blocks, threshold } = question;
  const [row] = await connection.rows<{ fresh: string }>(
    `look for changes in ${relation.schema}.${relation.name}`,
    `SELECT pg_catalog.count(*)::text AS fresh FROM ${blockRangesSql(blocks)}, LATERAL (
       SELECT 1 FROM ONLY ${qualified(relation)} t
       WHERE t.ctid >= u.a AND t.ctid < u.b AND ${isFreshSql(threshold)} OFFSET 0) x`,
  );
  return Number(row!.fresh);
}

/** Blocks, ascending, as ranges of places: a table `u` with the columns a and b, b excluded. */
export function blockRangesSql(blocks: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const block of blocks) {
    const last = ranges.at(-1);
    if (last && last[1] === block) last[1] = block + 1;
    else ranges.push([block, block + 1]);
  }
  const array = (end: 0 | 1): string => `'{${ranges.map(range => `"(${range[end]},0)"`).join(',')}}'::tid[]`;
  return `ROWS FROM (pg_catalog.unnest(${array(0)}), pg_catalog.unnest(${array(1)})) u (a, b)`;
}
