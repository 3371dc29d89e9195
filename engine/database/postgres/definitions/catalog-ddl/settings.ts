import type { Column } from './columns.ts';
import { type Context, keyOf } from './definitions.ts';
import { childrenOf } from './inheritance.ts';
import type { Relation, Relations } from './relations.ts';

/**
 * What is said of a column after its table exists: defaults, storage, compression, statistics, options. A child that is
 * created later would copy them, so they wait for the children; each child says its own.
 */
export function addColumnSettings({ definitions }: Context, relations: Relations): void {
  const children = childrenOf(relations);
  for (const relation of relations.values()) {
    const after = [relation.key, ...(children.get(relation.oid) ?? []).map(child => child.key)];
    const statements = relation.columns.flatMap(column => settingsOf(relation, column));
    if (statements.length > 0)
      definitions.add({ kind: 'column settings', name: relation.name, statements, after });
    for (const { name, number, initial, generated } of relation.columns) {
      if (initial === null || generated !== '') continue;
      const alter = `ALTER TABLE ONLY ${relation.name} ALTER COLUMN ${name}`;
      definitions.add(
        {
          kind: 'default',
          name: `${relation.name} ${number.padStart(4, '0')}`,
          statements: [`${alter} SET DEFAULT ${initial.expression}`],
          after,
        },
        keyOf('pg_attrdef', initial.oid),
      );
    }
  }
}

function settingsOf(relation: Relation, column: Column): string[] {
  const { storage, compression, statistics, options, isRequired, notNull, isLocal } = column;
  const alter = `ALTER TABLE ONLY ${relation.name} ALTER COLUMN ${column.name}`;
  const ownNotNull = isRequired && notNull === null && !isLocal && !relation.isPartition;
  return [
    // Before 18 an heir may forbid NULL in a column that it does not declare, and nothing says who began.
    ...(ownNotNull ? [`${alter} SET NOT NULL`] : []),
    ...(storage === null ? [] : [`${alter} SET STORAGE ${storage}`]),
    ...(compression === null ? [] : [`${alter} SET COMPRESSION ${compression}`]),
    ...(statistics === null ? [] : [`${alter} SET STATISTICS ${statistics}`]),
    ...(options === null ? [] : [`${alter} SET (${options})`]),
  ];
}
