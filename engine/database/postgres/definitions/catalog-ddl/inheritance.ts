import { type Context, type Item, keyOf } from './definitions.ts';
import { append } from './multimap.ts';
import { present } from './query.ts';
import type { Relation, Relations } from './relations.ts';

/**
 * Whether CREATE TABLE … INHERITS gives the table's columns in their order: those of its parents first. It does not when
 * a parent got a column, or the table got its parent, later.
 */
export function hasNaturalOrder(table: Relation, relations: Relations): boolean {
  const names = new Set<string>();
  for (const oid of table.parents) for (const { name } of relations.get(oid)?.columns ?? []) names.add(name);
  for (const { name, isLocal } of table.columns) if (isLocal) names.add(name);
  const wanted = table.columns.map(({ name }) => name);
  return wanted.length === names.size && [...names].every((name, at) => name === wanted[at]);
}

/** The direct children of each table, by its oid. */
export function childrenOf(relations: Relations): Map<string, Relation[]> {
  const children = new Map<string, Relation[]>();
  for (const table of relations.values()) for (const oid of table.parents) append(children, oid, table);
  return children;
}

/** ATTACH PARTITION, and INHERIT for the tables that could not be created as heirs. */
export function addInheritance({ definitions }: Context, relations: Relations): void {
  for (const table of relations.values()) {
    if (table.parents.length === 0) continue;
    if (!table.isPartition && hasNaturalOrder(table, relations)) continue;
    const parents = table.parents.map(oid => relations.get(oid)?.name ?? oid);
    const item: Item = {
      kind: 'inheritance',
      name: `${parents.join(' ')} ${table.name}`,
      statements: parents.map(parent =>
        table.isPartition
          ? `ALTER TABLE ONLY ${parent} ATTACH PARTITION ${table.name} ${present(table.bound)}`
          : `ALTER TABLE ONLY ${table.name} INHERIT ${parent}`,
      ),
      after: [table.key, ...table.parents.map(oid => keyOf('pg_class', oid))],
    };
    definitions.add(item);
  }
}
