import type { SequenceValue } from '../entries/entry.ts';
import { qualified } from '../sql/quoting.ts';
import type { Relation } from './relations.ts';

/** A longer UNION ALL takes the planner longer than it saves round trips. */
const sequencesPerStatement = 200;

/** Statements that give (oid, last value, is called) of every sequence. Sequences are not part of any snapshot. */
export function sequenceStatements(relations: readonly Relation[], serverVersionNumber: number): string[] {
  const sequences = relations.filter(one => one.kind === 'sequence');
  if (sequences.length === 0) return [];
  if (serverVersionNumber >= 180_000)
    return [
      `SELECT o.oid::int8, s.last_value, s.is_called
       FROM pg_catalog.unnest('{${sequences.map(one => one.oid).join(',')}}'::oid[]) o (oid),
         LATERAL pg_catalog.pg_get_sequence_data(o.oid) s`,
    ];
  const statements: string[] = [];
  for (let from = 0; from < sequences.length; from += sequencesPerStatement) {
    const some = sequences.slice(from, from + sequencesPerStatement);
    statements.push(
      some
        .map(one => `SELECT ${one.oid}::int8, last_value, is_called FROM ${qualified(one)}`)
        .join(' UNION ALL '),
    );
  }
  return statements;
}

/** The answers of those statements, in the order of the relations. */
export function sequenceValues(
  rows: readonly (readonly unknown[])[],
  relations: readonly Relation[],
): SequenceValue[] {
  const values = new Map(rows.map(row => [Number(row[0]), row]));
  return relations.flatMap(({ oid, schema, name }) => {
    const row = values.get(oid);
    return row ? [{ schema, name, lastValue: BigInt(row[1] as string), isCalled: row[2] === true }] : [];
  });
}
