import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DescribedTable, LoadedTable } from '../helpers/portable-tables.ts';

const server = '/usr/sbin/mariadbd';

/** Why there is none here; undefined where there is. */
export const noMariadb: string | undefined = existsSync(server)
  ? undefined
  : 'MariaDB is not installed: apt-get install mariadb-server';

/** A MariaDB in a folder, spoken to through its socket by its own client. */
export interface Mariadb extends AsyncDisposable {
  readonly version: string;
  /** What the client prints. */
  run(sql: string): string;
}

export async function startMariadb(folder: string): Promise<Mariadb> {
  const data = join(folder, 'data');
  const socket = join(folder, 's');
  mkdirSync(data, { recursive: true });
  const asRoot = process.getuid?.() === 0 ? ['--user=root'] : [];
  const install = [
    '--no-defaults',
    `--datadir=${data}`,
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
  ];
  execFileSync('mariadb-install-db', [...install, ...asRoot], { stdio: 'pipe' });
  const settings = [`--datadir=${data}`, `--socket=${socket}`, `--pid-file=${join(folder, 'pid')}`];
  const child = spawn(
    server,
    ['--no-defaults', ...settings, ...asRoot, '--skip-networking', '--local-infile=1'],
    {
      stdio: 'ignore',
    },
  );
  const run = (sql: string): string =>
    execFileSync(
      'mariadb',
      ['--no-defaults', `--socket=${socket}`, '--user=root', '--local-infile=1', '--batch', '--raw', '-N'],
      { input: sql, encoding: 'utf8', maxBuffer: 1e9, stdio: 'pipe' },
    );
  for (let tries = 0; ; tries += 1) {
    try {
      return { version: run('SELECT version()').trim(), run, [Symbol.asyncDispose]: () => ended(child) };
    } catch (error) {
      if (tries > 200 || child.exitCode !== null) throw error;
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  }
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise(resolve => {
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}

const quoted = (name: string): string => `\`${name.replaceAll('`', '``')}\``;
const nameOf = ({ schema, name }: { schema: string; name: string }): string => quoted(`${schema}.${name}`);
const list = (names: readonly string[]): string => names.map(quoted).join(', ');

type Column = DescribedTable['columns'][number];

/** A type of MariaDB that holds all values of a column; what can be infinite or is no number to it is text. */
function typeOf(column: Column, isKey: boolean): string {
  if (column.type === 'integer') return 'BIGINT';
  if (column.type === 'boolean') return 'BOOLEAN';
  if (column.type === 'binary') return isKey ? 'VARBINARY(255)' : 'LONGBLOB';
  return isKey ? `VARCHAR(${column.maxLength ?? 255})` : 'LONGTEXT';
}

/** Makes the tables of a description, loads their files, then adds the references. */
export function loadTables(mariadb: Mariadb, folder: string, tables: readonly DescribedTable[]): number {
  mariadb.run('CREATE DATABASE portable CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin');
  const sql = ["USE portable; SET sql_mode = 'STRICT_ALL_TABLES';"];
  for (const table of tables) {
    const keys = new Set([
      ...(table.primaryKey ?? []),
      ...table.unique.flat(),
      ...table.references.flatMap(({ columns }) => columns),
    ]);
    const parts = table.columns.map(
      one => `${quoted(one.name)} ${typeOf(one, keys.has(one.name))}${one.required ? ' NOT NULL' : ' NULL'}`,
    );
    if (table.primaryKey) parts.push(`PRIMARY KEY (${list(table.primaryKey)})`);
    parts.push(...table.unique.map(columns => `UNIQUE (${list(columns)})`));
    sql.push(`CREATE TABLE ${nameOf(table)} (${parts.join(', ')});`);
    const sets = table.columns.map((one, i) => `${quoted(one.name)} = ${valueSql(one, `@c${i}`)}`);
    sql.push(`LOAD DATA LOCAL INFILE '${join(folder, table.file!)}' INTO TABLE ${nameOf(table)} CHARACTER SET utf8mb4
      FIELDS TERMINATED BY ',' ENCLOSED BY '"' ESCAPED BY '' LINES TERMINATED BY '\\r\\n' IGNORE 1 LINES
      (${table.columns.map((_, i) => `@c${i}`).join(', ')}) SET ${sets.join(', ')};`);
  }
  const known = new Set(tables.map(nameOf));
  let references = 0;
  for (const table of tables) {
    for (const { columns, table: to, tableColumns } of table.references.filter(one =>
      known.has(nameOf(one.table)),
    )) {
      references += 1;
      sql.push(`ALTER TABLE ${nameOf(table)} ADD CONSTRAINT f${references} FOREIGN KEY (${list(columns)})
        REFERENCES ${nameOf(to)} (${list(tableColumns)});`);
    }
  }
  mariadb.run(sql.join('\n'));
  return references;
}

function valueSql({ type }: Column, value: string): string {
  if (type === 'boolean') return `IF(${value} IS NULL, NULL, ${value} = 'true')`;
  return type === 'binary' ? `UNHEX(${value})` : value;
}

/** All rows as MariaDB has them, in the words of the files. */
export function readBack(mariadb: Mariadb, table: DescribedTable): LoadedTable {
  const columns = table.columns.map(({ name, type }) => {
    if (type === 'boolean') return `IF(${quoted(name)} IS NULL, NULL, IF(${quoted(name)}, 'true', 'false'))`;
    if (type === 'binary') return `LOWER(HEX(${quoted(name)}))`;
    return type === 'integer' ? `CAST(${quoted(name)} AS CHAR)` : quoted(name);
  });
  const lines = mariadb.run(
    `SET NAMES utf8mb4; SELECT JSON_ARRAY(${columns.join(', ')}) FROM portable.${nameOf(table)}`,
  );
  const rows = lines
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as (string | null)[]);
  return { schema: table.schema, name: table.name, rows };
}
