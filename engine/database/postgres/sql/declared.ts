import type { RelationName } from '../entries/entry-parts.ts';
import { SqlCursor } from './cursor.ts';
import { leadingWords, splitStatements } from './statements.ts';

export interface DeclaredColumn {
  readonly name: string;
  /** As PostgreSQL writes it: `character varying(32)`, `public.person[]`. */
  readonly type: string;
  isRequired: boolean;
  readonly isGenerated: boolean;
  isIdentity: boolean;
  comment: string | null;
}

export interface DeclaredReference {
  readonly name: string;
  readonly columns: readonly string[];
  readonly to: RelationName;
  readonly toColumns: readonly string[];
  readonly onDelete: string;
  readonly onUpdate: string;
}

export interface DeclaredTable extends RelationName {
  readonly columns: DeclaredColumn[];
  readonly ofType: string | null;
  primaryKey: readonly string[] | null;
  readonly unique: (readonly string[])[];
  readonly references: DeclaredReference[];
  readonly parents: RelationName[];
  partitionOf: RelationName | null;
  comment: string | null;
}

/** A type that a user made. */
export type DeclaredType =
  | { readonly kind: 'enum'; readonly values: readonly string[] }
  | { readonly kind: 'domain'; readonly of: string }
  | { readonly kind: 'composite'; readonly attributes: readonly { name: string; type: string }[] }
  | { readonly kind: 'range' };

/** What definitions say of tables and types, by `nameKey`. */
export interface Declared {
  readonly tables: ReadonlyMap<string, DeclaredTable>;
  readonly types: ReadonlyMap<string, DeclaredType>;
}

export const nameKey = ({ schema, name }: RelationName): string => `${schema}\0${name}`;

/**
 * Reads what `pg_dump` and the reader of the catalogs write: names always have a schema. What it does not know it passes
 * over: checks, expressions, indexes of a part of the rows.
 */
export function readDeclared(preData: string, postData: string): Declared {
  const found = { tables: new Map<string, DeclaredTable>(), types: new Map<string, DeclaredType>() };
  for (const sql of [preData, postData]) {
    for (const statement of splitStatements(sql)) {
      const words = leadingWords(statement, 4);
      readStatement(new SqlCursor(statement), words, found);
    }
  }
  for (const table of found.tables.values()) takeFromParents(table, found);
  return found;
}

interface Found {
  readonly tables: Map<string, DeclaredTable>;
  readonly types: Map<string, DeclaredType>;
}

function readStatement(cursor: SqlCursor, words: readonly string[], found: Found): void {
  const [first, second, third] = words;
  if (first === 'create' && (second === 'table' || second === 'unlogged')) readTable(cursor, found);
  else if (first === 'create' && second === 'type') readType(cursor, found);
  else if (first === 'create' && second === 'domain') readDomain(cursor, found);
  else if (first === 'create' && second === 'unique' && third === 'index') readUniqueIndex(cursor, found);
  else if (first === 'alter' && second === 'table') readAlter(cursor, found);
  else if (first === 'comment' && (third === 'table' || third === 'column')) readComment(cursor, found);
}

function readTable(cursor: SqlCursor, { tables }: Found): void {
  cursor.take('create');
  cursor.take('unlogged');
  cursor.take('table');
  const name = cursor.name();
  if (!name) return;
  const ofType = cursor.take('of') ? cursor.name() : undefined;
  const table: DeclaredTable = {
    ...name,
    columns: [],
    ofType: ofType ? nameKey(ofType) : null,
    primaryKey: null,
    unique: [],
    references: [],
    parents: [],
    partitionOf: null,
    comment: null,
  };
  for (const item of cursor.list() ?? []) readTableItem(item, table);
  if (cursor.take('inherits')) {
    for (const item of cursor.list() ?? []) {
      const parent = item.name();
      if (parent) table.parents.push(parent);
    }
  }
  tables.set(nameKey(name), table);
}

function readTableItem(item: SqlCursor, table: DeclaredTable): void {
  const next = item.peek();
  if (next !== undefined && ['constraint', 'check', 'like', 'exclude'].includes(next)) {
    item.take('constraint');
    const name = item.identifier();
    if (item.take('not', 'null')) {
      const column = columnNamed(table, item.identifier());
      if (column) column.isRequired = true;
    } else if (name !== undefined) readConstraint(item, { name, table });
    return;
  }
  const name = item.identifier();
  if (name === undefined) return;
  const isTyped = item.take('with', 'options');
  const type = isTyped
    ? ''
    : item.textUntil((word, after) => endsType.has(word) || (word === 'with' && after !== 'time'));
  let isRequired = false;
  let isGenerated = false;
  while (!item.isAtEnd) {
    if (item.take('not', 'null')) isRequired = true;
    else if (item.take('generated', 'always', 'as')) isGenerated = !item.take('identity');
    else if (item.list() === undefined) item.skipOne();
  }
  table.columns.push({ name, type, isRequired, isGenerated, isIdentity: false, comment: null });
}

const columnNamed = ({ columns }: DeclaredTable, name: string | undefined): DeclaredColumn | undefined =>
  columns.find(one => one.name === name);

/** Words that can follow a type. */
const endsType: ReadonlySet<string> = new Set([
  ...['check', 'collate', 'compression', 'constraint', 'default', 'generated'],
  ...['not', 'null', 'options', 'primary', 'references', 'storage', 'unique'],
]);

function readConstraint(
  cursor: SqlCursor,
  { name, table }: { readonly name: string; readonly table: DeclaredTable },
): void {
  if (cursor.take('primary', 'key')) {
    table.primaryKey = cursor.names() ?? table.primaryKey;
  } else if (cursor.take('unique')) {
    cursor.take('nulls', 'not', 'distinct');
    const columns = cursor.names();
    if (columns) table.unique.push(columns);
  } else if (cursor.take('foreign', 'key')) {
    const columns = cursor.names();
    const to = cursor.take('references') ? cursor.name() : undefined;
    const toColumns = cursor.names();
    if (!columns || !to || !toColumns) return;
    let [onDelete, onUpdate] = ['NO ACTION', 'NO ACTION'];
    while (cursor.skipTo('on')) {
      cursor.take('on');
      if (cursor.take('delete')) onDelete = action(cursor);
      else if (cursor.take('update')) onUpdate = action(cursor);
    }
    table.references.push({ name, columns, to, toColumns, onDelete, onUpdate });
  }
}

const actions = [['cascade'], ['restrict'], ['set', 'null'], ['set', 'default'], ['no', 'action']] as const;

function action(cursor: SqlCursor): string {
  return (actions.find(words => cursor.take(...words)) ?? ['no', 'action']).join(' ').toUpperCase();
}

function readAlter(cursor: SqlCursor, { tables }: Found): void {
  cursor.take('alter', 'table');
  cursor.take('only');
  const name = cursor.name();
  const table = name && tables.get(nameKey(name));
  if (!name || !table) return;
  if (cursor.take('add', 'constraint')) {
    const constraint = cursor.identifier();
    if (constraint !== undefined) readConstraint(cursor, { name: constraint, table });
  } else if (cursor.take('attach', 'partition')) {
    const child = cursor.name();
    const partition = child && tables.get(nameKey(child));
    if (partition) partition.partitionOf = name;
  } else if (cursor.take('inherit')) {
    const parent = cursor.name();
    if (parent) table.parents.push(parent);
  } else if (cursor.take('alter', 'column')) {
    const column = columnNamed(table, cursor.identifier());
    if (!column) return;
    if (cursor.take('set', 'not', 'null')) column.isRequired = true;
    else if (cursor.take('add', 'generated') && cursor.skipTo('identity')) column.isIdentity = true;
  }
}

/** Only an index on whole columns of all rows says that they are unique. */
function readUniqueIndex(cursor: SqlCursor, { tables }: Found): void {
  cursor.skipTo('on');
  cursor.take('on');
  cursor.take('only');
  const name = cursor.name();
  const table = name && tables.get(nameKey(name));
  if (!table || !cursor.take('using', 'btree')) return;
  const columns = cursor.list()?.map(item => {
    const column = item.identifier();
    return item.take('(') || item.take('.') ? undefined : column;
  });
  if (!columns?.every(column => table.columns.some(one => one.name === column))) return;
  if (!cursor.skipTo('where')) table.unique.push(columns as string[]);
}

function readType(cursor: SqlCursor, { types }: Found): void {
  cursor.take('create', 'type');
  const name = cursor.name();
  if (!name || !cursor.take('as')) return;
  if (cursor.take('enum')) {
    const values = (cursor.list() ?? []).map(item => item.string() ?? '');
    types.set(nameKey(name), { kind: 'enum', values });
  } else if (cursor.take('range')) {
    types.set(nameKey(name), { kind: 'range' });
    for (const item of cursor.list() ?? []) {
      if (!item.take('multirange_type_name', '=')) continue;
      const multirange = item.name();
      if (multirange)
        types.set(nameKey({ ...multirange, schema: multirange.schema || name.schema }), { kind: 'range' });
    }
  } else {
    const attributes = (cursor.list() ?? []).flatMap(item => {
      const attribute = item.identifier();
      return attribute === undefined
        ? []
        : [{ name: attribute, type: item.textUntil(word => word === 'collate') }];
    });
    types.set(nameKey(name), { kind: 'composite', attributes });
  }
}

function readDomain(cursor: SqlCursor, { types }: Found): void {
  cursor.take('create', 'domain');
  const name = cursor.name();
  if (!name || !cursor.take('as')) return;
  const of = cursor.textUntil((word, after) => endsType.has(word) || (word === 'with' && after !== 'time'));
  types.set(nameKey(name), { kind: 'domain', of: of.replace(/;$/, '') });
}

function readComment(cursor: SqlCursor, { tables }: Found): void {
  cursor.take('comment', 'on');
  const isColumn = cursor.take('column');
  if (!isColumn) cursor.take('table');
  const name = cursor.name();
  const column = isColumn && cursor.take('.') ? cursor.identifier() : undefined;
  const text = cursor.take('is') ? cursor.string() : undefined;
  const table = name && tables.get(nameKey(name));
  if (!table || text === undefined) return;
  if (!isColumn) table.comment = text;
  const found = table.columns.find(one => one.name === column);
  if (found) found.comment = text;
}

/** A table made of a type, or of parents, does not say itself what columns it has from them. */
function takeFromParents(table: DeclaredTable, { tables, types }: Found): void {
  const type = table.ofType === null ? undefined : types.get(table.ofType);
  const add = (column: { readonly name: string; readonly type: string }, from?: DeclaredColumn): void => {
    const own = table.columns.findIndex(one => one.name === column.name);
    if (own < 0) {
      table.columns.push({
        name: column.name,
        type: column.type,
        isRequired: from?.isRequired ?? false,
        isGenerated: from?.isGenerated ?? false,
        isIdentity: false,
        comment: null,
      });
    } else if (table.columns[own]!.type === '') {
      table.columns[own] = { ...table.columns[own]!, type: column.type };
    }
  };
  if (type?.kind === 'composite') for (const attribute of type.attributes) add(attribute);
  const seen = new Set([nameKey(table)]);
  const parents = [...table.parents];
  for (const parent of parents) {
    const from = tables.get(nameKey(parent));
    if (!from || seen.has(nameKey(parent))) continue;
    seen.add(nameKey(parent));
    for (const column of from.columns) add(column, column);
    parents.push(...from.parents);
  }
}
