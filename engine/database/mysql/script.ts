import type { ChunkSource, Content } from '../../../store/index.ts';
import { storeError } from '../../../store/index.ts';
import type { SqlOptions } from '../database.ts';
import { sessionSettings } from './connection.ts';
import { inMakingOrder, notThereYet, readSql, rowSession, tableSession } from './definitions.ts';
import type { ObjectEntry, TableEntry } from './entry.ts';
import { batches, storedRows } from './load.ts';
import { sessionSql } from './objects.ts';
import { type Outline, readOutline } from './outline.ts';
import { aboutNamesakes, withoutOwnName } from './own-name.ts';
import { asTuples } from './row-text.ts';
import { literal, quoted } from './sql.ts';

/** How the vendor's client must be called, for people. */
export const clientCommand = 'mariadb --binary-mode --comments --max-allowed-packet=1G';

/** Bytes of the rows of a statement: the client takes 16 MB unless told. */
const statementBytes = 1024 * 1024;

/**
 * A database as SQL that MariaDB's client loads into an empty one. Bytes of rows are as they are stored. It stops where
 * the target holds something, at the first error, and where a table has not the rows that it must have. Pieces are good
 * until the next pull.
 */
export async function* databaseScript(
  options: Omit<SqlOptions, 'digestKey'>,
): AsyncGenerator<Uint8Array | string> {
  const { source, root, signal } = options;
  const outline = await readOutline({ source, root, signal });
  const { facts, tables, sequences } = outline;
  const read = (object: ObjectEntry) => readSql(source, `${object.class} ${object.name}`, object.sql);
  const warnings = await aboutNamesakes(outline, read);
  for (const warning of warnings) options.onWarning?.(warning);
  yield head(outline, warnings);
  yield lines(sessionSettings('restore'));
  yield block(emptyTarget);
  yield lines([`ALTER DATABASE CHARACTER SET ${facts.characterSet} COLLATE ${facts.collation}`]);
  yield lines(tableSession);
  for (const { name, sql } of sequences) yield framed(await readDefinition(source, `sequence ${name}`, sql));
  for (const { name, sql } of tables)
    yield framed(withoutOwnName(await readDefinition(source, `table ${name}`, sql), facts.database));
  yield lines(rowSession);
  yield* allRows(options, tables);
  yield lines(numbers(outline));
  for (const table of tables) yield block(counted(table));
  yield* objects(source, outline);
  yield lines([...rowSession, `ALTER DATABASE COMMENT ${literal(facts.comment)}`]);
  yield `\nSELECT 'loaded, and every table has its rows' AS \`\`;\n`;
}

/** Statements that gave rights in the database, for a person to look at; without passwords. */
export async function grantsScript({ source, root }: Pick<SqlOptions, 'source' | 'root'>): Promise<string> {
  const { facts } = await readOutline({ source, root });
  const accounts = facts.grants.map(grant => `${grant.replaceAll('\n', ' ')};\n`);
  return `-- Rights in the database ${shown(facts.database)} as they were, by that name. Look before you run it; accounts come without passwords.\n${accounts.join('')}`;
}

const shown = (text: string): string => text.replaceAll(/\s+/g, ' ');

function head({ facts }: Outline, warnings: readonly string[]): string {
  return `-- The database ${shown(facts.database)} of MariaDB ${shown(facts.serverVersion)}, with its rows.
-- Load it into an empty database: ${clientCommand} NAME < FILE
-- After an error drop that database, make it again, and load again.
${warnings.map(text => `-- ${shown(text)}.\n`).join('')}\\C binary
SET NAMES binary;
`;
}

const lines = (statements: readonly string[]): string => statements.map(one => `${one};\n`).join('');

/** One statement in the client's own frame: it is ended by what it does not have itself. */
function framed(sql: Buffer): Buffer {
  let end = '//';
  for (let i = 0; sql.includes(end); i += 1) end = `//${i}//`;
  return Buffer.concat([Buffer.from(`DELIMITER ${end}\n`), sql, Buffer.from(`\n${end}\nDELIMITER ;\n`)]);
}

const block = (text: string): Buffer => framed(Buffer.from(`BEGIN NOT ATOMIC\n${text}\nEND`));

const refused = (text: string): string =>
  `SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = ${literal(text.slice(0, 400))};`;

const emptyTarget = `  IF DATABASE() IS NULL THEN ${refused('name the database to load into')} END IF;
  IF (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE())
    + (SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE())
    + (SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()) > 0
  THEN ${refused('this database is not empty')} END IF;`;

const counted = ({ name, digest }: TableEntry): string =>
  `  IF (SELECT COUNT(*) FROM ${quoted(name)}) <> ${digest.rows} THEN ${refused(`a table has not its ${digest.rows} rows: ${name}`)} END IF;`;

/** The client would run another thing with the rights of whoever loads. STORE_DAMAGED. */
async function readDefinition(source: ChunkSource, what: string, content: Content): Promise<Buffer> {
  const sql = await readSql(source, what, content);
  if (/^\s*CREATE\s/i.test(sql.subarray(0, 64).toString('latin1'))) return sql;
  throw storeError('STORE_DAMAGED', `Cannot write ${what}: its definition makes nothing`, {
    remedy: 'Find out who wrote this snapshot before you use it; `stillpoint cat` prints the definitions.',
  });
}

async function* allRows(
  options: Omit<SqlOptions, 'digestKey'>,
  tables: readonly TableEntry[],
): AsyncGenerator<Uint8Array | string> {
  const { source, root, signal } = options;
  const done = { rows: 0, bytes: 0 };
  for (const table of tables) {
    if (table.digest.rows === 0) continue;
    const into = `INSERT INTO ${quoted(table.name)} (${table.columns.map(quoted).join(', ')}) VALUES\n`;
    yield `\nSTART TRANSACTION;\n`;
    for await (const rows of batches(storedRows({ source, root, table }), statementBytes)) {
      signal?.throwIfAborted();
      yield into;
      done.bytes += rows.length;
      yield asTuples(rows);
      yield ';\n';
    }
    yield 'COMMIT;\n';
    done.rows += table.digest.rows;
    options.onProgress?.(done);
  }
}

function numbers({ tables, sequences }: Outline): string[] {
  return [
    ...tables.flatMap(({ name, autoIncrement }) =>
      autoIncrement !== null && autoIncrement > 0n
        ? [`ALTER TABLE ${quoted(name)} AUTO_INCREMENT = ${autoIncrement}`]
        : [],
    ),
    ...sequences.map(({ name, next, cycles }) => `DO SETVAL(${quoted(name)}, ${next}, 0, ${cycles})`),
  ];
}

/** Each in the session in which it was written, and read by the client in that character set. */
async function* objects(source: ChunkSource, outline: Outline): AsyncGenerator<Uint8Array | string> {
  const defined: Defined[] = [];
  for (const object of inMakingOrder(outline.objects))
    defined.push({ object, sql: await readDefinition(source, `${object.class} ${object.name}`, object.sql) });
  for (const { object, sql } of [...routines(defined), ...viewsInOrder(defined), ...watchers(defined)]) {
    yield `\\C ${/^\w+$/.exec(object.characterSet ?? '')?.[0] ?? 'binary'}\n`;
    yield lines(sessionSql(object));
    yield object.class === 'view' ? framed(unlessNotThere(object.name, sql)) : framed(sql);
    yield '\\C binary\n';
  }
}

interface Defined {
  readonly object: ObjectEntry;
  readonly sql: Buffer;
}

const isWatcher = ({ object }: Defined): boolean => ['trigger', 'event'].includes(object.class);
const isView = ({ object }: Defined): boolean => object.class === 'view';
const routines = (all: readonly Defined[]) => all.filter(one => !isWatcher(one) && !isView(one));
const watchers = (all: readonly Defined[]) => all.filter(isWatcher);

/** Views after those that they name; a name that is also a column's puts two in an order for nothing. */
function viewsInOrder(all: readonly Defined[]): Defined[] {
  const views = new Map(all.filter(isView).map(one => [one.object.name, one]));
  const ordered = new Set<Defined>();
  const begun = new Set<Defined>();
  const put = (view: Defined): void => {
    if (begun.has(view)) return;
    begun.add(view);
    for (const name of namesIn(view.sql)) {
      const other = views.get(name);
      if (other) put(other);
    }
    ordered.add(view);
  };
  for (const view of views.values()) put(view);
  return [...ordered];
}

function namesIn(sql: Buffer): Set<string> {
  const names = sql.toString('utf8').match(/`(?:[^`]|``)+`/g) ?? [];
  return new Set(names.map(name => name.slice(1, -1).replaceAll('``', '`')));
}

/** A view whose tables are gone was there like that, and cannot be made again. */
function unlessNotThere(name: string, sql: Buffer): Buffer {
  const told = literal(`the view ${name} was not made, since what it reads is not there`);
  const handler = `DECLARE CONTINUE HANDLER FOR ${[...notThereYet].join(', ')} SELECT ${told} AS \`\`;`;
  return Buffer.concat([Buffer.from(`BEGIN NOT ATOMIC\n${handler}\n`), sql, Buffer.from(';\nEND')]);
}
