import { type Context, type Item, keyOf } from './definitions.ts';
import { childrenOf } from './inheritance.ts';
import { append } from './multimap.ts';
import { type Flag, present } from './query.ts';
import type { Relation, Relations } from './relations.ts';
import { firstUserOid, inTablespace, joinUserRelation, optionList } from './sql.ts';

interface ConstraintRow {
  readonly oid: string;
  readonly kind: string;
  readonly name: string;
  readonly relation: string;
  readonly definition: string | null;
  readonly is_local: Flag;
  readonly is_valid: Flag;
  readonly is_deferrable: Flag;
  readonly is_deferred: Flag;
  /** The constraint of the partitioned table that this one belongs to; 0: none. */
  readonly parent: string;
  readonly index: string;
  readonly index_options: string | null;
  readonly tablespace: string | null;
}

/** Checks, keys and foreign keys of tables. NOT NULL stands with the columns, but where it is not valid. */
export async function readConstraints(context: Context, relations: Relations): Promise<void> {
  const { select, definitions } = context;
  const rows = await select<ConstraintRow>(
    `SELECT k.oid, k.contype AS kind, pg_catalog.quote_ident(k.conname) AS name, k.conrelid AS relation,
       CASE WHEN k.contype IN ('c', 'f', 'n', 'p', 'u', 'x') THEN pg_catalog.pg_get_constraintdef(k.oid) END AS definition, k.conislocal AS is_local, k.convalidated AS is_valid,
       k.condeferrable AS is_deferrable, k.condeferred AS is_deferred, k.conparentid AS parent, k.conindid AS index,
       ${optionList('i.reloptions')} AS index_options,
       (SELECT pg_catalog.quote_ident(s.spcname) FROM pg_catalog.pg_tablespace s WHERE s.oid = i.reltablespace) AS tablespace
     FROM pg_catalog.pg_constraint k ${joinUserRelation('k.conrelid')} LEFT JOIN pg_catalog.pg_class i ON i.oid = k.conindid
     WHERE k.oid >= ${firstUserOid}
     ORDER BY k.conname, k.oid`,
  );
  const checks = new Map<string, ConstraintRow[]>();
  const parts: ConstraintRow[] = [];
  for (const row of rows) {
    const table = relations.get(row.relation);
    if (!table) continue; // of a kind that is refused
    definitions.labels.set(keyOf('pg_constraint', row.oid), `CONSTRAINT ${row.name} ON ${table.name}`);
    if (row.kind === 'c' || (row.kind === 'n' && row.is_valid === 'f')) append(checks, row.relation, row);
    else if (row.kind === 'x' && table.kind === 'p')
      // Its partitions' constraints cannot be attached, and their names cannot be given.
      definitions.refuse(
        keyOf('pg_constraint', row.oid),
        `exclusion constraint ${row.name} of partitioned table ${table.name}`,
      );
    else if ('pux'.includes(row.kind)) addKey(context, table, row);
    else if (row.kind === 'f' && row.parent === '0') addForeignKey(context, table, row);
    else if (row.kind === 'f') parts.push(row);
  }
  const byOid = new Map(rows.map(row => [row.oid, row]));
  for (const row of parts) claimForParent(context, row, byOid);
  addChecks(context, relations, checks);
}

/**
 * The checks of one table in one statement, hence one scan. An heir's own ones come first: its parent's then merge with
 * them, and are made by the parent where the heir has none of its own.
 */
function addChecks(
  { definitions }: Context,
  relations: Relations,
  checks: ReadonlyMap<string, readonly ConstraintRow[]>,
): void {
  const children = childrenOf(relations);
  const done = new Map<string, Item | null>();
  const add = (table: Relation): Item | null => {
    const known = done.get(table.oid);
    if (known !== undefined) return known;
    const afterItems = (children.get(table.oid) ?? []).flatMap(child => add(child) ?? []);
    const rows = checks.get(table.oid) ?? [];
    const clauses = rows
      .filter(row => row.is_local === 't')
      .map(row => `ADD CONSTRAINT ${row.name} ${present(row.definition)}`);
    const statements = clauses.length === 0 ? [] : [`ALTER TABLE ${table.name}\n  ${clauses.join(',\n  ')}`];
    const item =
      rows.length + afterItems.length === 0
        ? null
        : definitions.add(
            { kind: 'check', name: table.name, statements, after: [table.key], afterItems },
            ...rows.map(row => keyOf('pg_constraint', row.oid)),
          );
    done.set(table.oid, item);
    return item;
  };
  for (const table of relations.values()) add(table);
}

/** PRIMARY KEY, UNIQUE, EXCLUDE: each makes its index. */
function addKey({ definitions }: Context, table: Relation, row: ConstraintRow): void {
  const statement = `ALTER TABLE ONLY ${table.name} ADD CONSTRAINT ${row.name} ${withIndexOptions(row)}`;
  definitions.add(
    {
      ...{ kind: 'key', name: `${table.name} ${row.name}`, after: [table.key] },
      statements: inTablespace(row.tablespace, [statement]),
    },
    keyOf('pg_constraint', row.oid),
    keyOf('pg_class', row.index),
  );
}

/** pg_get_constraintdef leaves out the options of the index, which stand before DEFERRABLE. */
function withIndexOptions(row: ConstraintRow): string {
  const definition = present(row.definition);
  if (row.index_options === null || row.kind === 'x') return definition;
  const tail = `${row.is_deferrable === 't' ? ' DEFERRABLE' : ''}${row.is_deferred === 't' ? ' INITIALLY DEFERRED' : ''}`;
  const head = definition.slice(0, definition.length - tail.length);
  if (head + tail !== definition) throw new TypeError(`unexpected constraint: ${definition}`);
  return `${head} WITH (${row.index_options})${tail}`;
}

function addForeignKey({ definitions }: Context, table: Relation, row: ConstraintRow): void {
  const only = table.kind === 'p' ? '' : 'ONLY ';
  const statement = `ALTER TABLE ${only}${table.name} ADD CONSTRAINT ${row.name} ${present(row.definition)}`;
  definitions.add(
    { kind: 'foreign key', name: `${table.name} ${row.name}`, statements: [statement], after: [table.key] },
    keyOf('pg_constraint', row.oid),
  );
}

/** A partition's share of a foreign key is made with the whole. */
function claimForParent(
  { definitions }: Context,
  row: ConstraintRow,
  byOid: ReadonlyMap<string, ConstraintRow>,
): void {
  let root: ConstraintRow | undefined = row;
  while (root && root.parent !== '0') root = byOid.get(root.parent);
  const item = root && definitions.claims.get(keyOf('pg_constraint', root.oid));
  if (item) definitions.claims.set(keyOf('pg_constraint', row.oid), item);
}
