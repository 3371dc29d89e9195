import type { Column } from './columns.ts';
import { type Context, type Item, keyOf, type ObjectKey } from './definitions.ts';
import { hasNaturalOrder } from './inheritance.ts';
import type { Relation, Relations } from './relations.ts';
import { inTablespace } from './sql.ts';

/** CREATE TABLE for every table: a partition stands alone at first and is attached later. */
export function addTables({ definitions }: Context, relations: Relations): void {
  for (const table of relations.values()) {
    if (table.kind === 'v' || table.kind === 'm') continue;
    const inherits = !table.isPartition && table.parents.length > 0 && hasNaturalOrder(table, relations);
    const keys: ObjectKey[] = [table.key];
    for (const { notNull, generated, initial } of table.columns) {
      if (notNull?.isValid) {
        keys.push(keyOf('pg_constraint', notNull.oid));
        definitions.labels.set(
          keyOf('pg_constraint', notNull.oid),
          `CONSTRAINT ${notNull.name} ON ${table.name}`,
        );
      }
      if (generated !== '' && initial !== null) keys.push(keyOf('pg_attrdef', initial.oid));
    }
    const statements = inTablespace(table.tablespace, [createTable(table, inherits ? relations : null)]);
    const after = inherits ? table.parents.map(oid => keyOf('pg_class', oid)) : [];
    const item: Item = { kind: 'table', name: table.name, statements, after };
    definitions.add(item, ...keys);
  }
}

/** `relations` are given for a table that takes columns from its parents. */
function createTable(table: Relation, relations: Relations | null): string {
  const parts = relations
    ? inheritedParts(table, relations)
    : table.columns.flatMap(column => columnPart(table, column) ?? []);
  const list = parts.length === 0 ? '' : `\n  ${parts.join(',\n  ')}\n`;
  const body = table.ofType === null ? `(${list})` : `OF ${table.ofType}${list && ` (${list})`}`;
  const parents = relations ? table.parents.map(oid => relations.get(oid)?.name ?? oid).join(', ') : '';
  return [
    `CREATE ${table.persistence === 'u' ? 'UNLOGGED ' : ''}${table.kind === 'f' ? 'FOREIGN ' : ''}TABLE ${table.name} ${body}`,
    ...(parents ? [`INHERITS (${parents})`] : []),
    ...(table.partitionKey === null ? [] : [`PARTITION BY ${table.partitionKey}`]),
    // A heap is what every table is, but a partitioned one has no method unless somebody gave it one.
    ...(table.accessMethod === null || (table.kind === 'r' && table.accessMethod === 'heap')
      ? []
      : [`USING ${table.accessMethod}`]),
    ...(table.server === null ? [] : [table.server]),
    ...(table.options === null ? [] : [`WITH (${table.options})`]),
  ].join('\n');
}

/** What a child declares itself; the rest comes from its parents. */
function inheritedParts(table: Relation, relations: Relations): string[] {
  const parents = table.parents.flatMap(oid => relations.get(oid) ?? []);
  const columns = table.columns.filter(column => column.isLocal || !isGeneratedAlike(column, parents));
  const constraints = table.columns
    .filter(one => !columns.includes(one) && one.notNull?.isLocal && one.notNull.isValid)
    .map(one => `${notNullClause(one).trimStart()} ${one.name}${noInherit(one)}`);
  const declared = columns.flatMap(column => columnPart(table, column, { inherits: true }) ?? []);
  return [...declared, ...constraints];
}

/** Whether some parent generates the column by the same expression, so that it need not be said again. */
function isGeneratedAlike(column: Column, parents: readonly Relation[]): boolean {
  if (column.generated === '') return true;
  return parents.some(parent =>
    parent.columns.some(
      one => one.name === column.name && one.initial?.expression === column.initial?.expression,
    ),
  );
}

/** null: the type that the table is made of says it all. */
function columnPart(
  table: Relation,
  column: Column,
  options: { readonly inherits?: boolean } = {},
): string | null {
  const { name, type, collation, generated, initial, foreignOptions } = column;
  const expression = initial?.expression ?? '';
  const kind = generated === 's' ? 'STORED' : 'VIRTUAL';
  const fromParent = options.inherits && column.notNull !== null && !column.notNull.isLocal;
  const clauses = [
    foreignOptions,
    collation === null || table.ofType !== null ? '' : ` COLLATE ${collation}`,
    generated === '' ? '' : ` GENERATED ALWAYS AS (${expression}) ${kind}`,
    column.isRequired && !fromParent && column.notNull?.isValid !== false
      ? notNullClause(column) + noInherit(column)
      : '',
  ].join('');
  if (table.ofType === null) return `${name} ${type}${clauses}`;
  return clauses === '' ? null : `${name} WITH OPTIONS${clauses}`;
}

function notNullClause({ notNull }: Column): string {
  return `${notNull === null ? '' : ` CONSTRAINT ${notNull.name}`} NOT NULL`;
}

function noInherit({ notNull }: Column): string {
  return notNull?.isInherited === false ? ' NO INHERIT' : '';
}
