import { type ChunkSource, type ListingRoot, storeError } from '../../store/index.ts';
import type { ExportDatabaseOptions, StoredDatabase } from '../database/kind.ts';
import { rowSettings } from '../database/postgres/connect/settings.ts';
import type { RelationEntry } from '../database/postgres/entries/relation-entry.ts';
import type { SegmentEntry } from '../database/postgres/entries/segment-entry.ts';
import { type Outline, readOutline } from '../database/postgres/outline/outline.ts';
import { createDatabaseSql } from '../database/postgres/restore/create-database.ts';
import { userObjectsSql } from '../database/postgres/restore/user-objects.ts';
import { segmentRows } from '../database/postgres/rows/reconstruct.ts';
import { segmentRowBytes, tableRows, tableSegments } from '../database/postgres/rows/table-rows.ts';
import {
  lengthenSql,
  pagesTable,
  pageTablesSql,
  takePagesSql,
} from '../database/postgres/sql/large-object-pages.ts';
import { literal, qualified } from '../database/postgres/sql/quoting.ts';
import {
  copyFromSql,
  refreshOrder,
  setvalSql,
  splitPostData,
} from '../database/postgres/sql/restore-steps.ts';
import { groupsOf, hasBackslash } from '../database/postgres/sql/statements.ts';
import { printableText } from '../look/names.ts';
import { type FileTarget, type MadeFile, textFile } from './archive.ts';
import { fileNames } from './file-names.ts';
import { plainRows } from './plain-rows.ts';

/**
 * A database as a folder that psql alone loads: `load.sql` includes everything else in order. Rows are COPY text in the
 * encoding that they had; definitions are UTF-8.
 */
export async function exportForPsql(
  target: FileTarget,
  options: ExportDatabaseOptions,
): Promise<{ readonly tables: number; readonly rows: number }> {
  const { source, signal } = options;
  const root = options.stored.listing;
  const outline = await readOutline({ source, root, signal });
  const lacksRows = options.snapshot.degraded !== undefined;
  const { record, relations, definitions } = outline;
  const tables = relations.filter(one => one.kind === 'table');
  const filled = tables.filter(one => one.digest.rows > 0);
  const named = fileNames(filled, 'sql');
  for (const [section, sql] of definitions) refuseCommands(section, sql);
  refuseCommands('facts', record.databaseSql.flat().join(';'));
  const { after, last } = splitPostData(definitions.get('post-data') ?? '');
  const texts: readonly (readonly [string, string])[] = [
    ['create-database.sql', createText(outline)],
    ['roles.sql', `${definitions.get('globals') ?? ''}\n`],
    ['load.sql', loadText(outline, { lacksRows, files: [...named.values()] })],
    ['steps/check-target.sql', targetText(outline)],
    ['steps/pre-data.sql', `${definitions.get('pre-data') ?? ''}\n`],
    ['steps/sequences.sql', lines(outline.sequences.map(setvalSql))],
    ['steps/post-data.sql', after.join('')],
    [
      'steps/refresh.sql',
      lines(refreshOrder(relations).map(one => `REFRESH MATERIALIZED VIEW ${qualified(one)}`)),
    ],
    ['steps/check-rows.sql', countText(tables)],
    ['steps/event-triggers.sql', last.join('')],
    ['database-settings.sql', settingsText(outline)],
  ];
  for (const [name, text] of texts) await target.put(`database/${name}`, textFile(text));
  for (const [relation, name] of named) {
    options.signal?.throwIfAborted();
    const file = tableFile(source, { root, relation, encoding: record.encoding });
    const { bytes } = await target.put(`database/tables/${name}`, file);
    options.onTable?.(relation.digest.rows, bytes);
  }
  const objects = relations.find(one => one.kind === 'large-objects');
  const objectsFile = largeObjectsFile(source, { root, relation: objects, outline });
  await target.put(`database/steps/large-objects.sql`, objectsFile);
  return { tables: tables.length, rows: tables.reduce((sum, one) => sum + one.digest.rows, 0) };
}

/** No definition has such a thing, and psql would run it with the rights of whoever loads. STORE_DAMAGED. */
function refuseCommands(section: string, sql: string): void {
  if (!hasBackslash(sql)) return;
  throw storeError(
    'STORE_DAMAGED',
    `Cannot export the database: its definitions (${section}) hold a command of psql`,
    {
      remedy: 'Find out who wrote this snapshot before you use it; `stillpoint cat` prints the definitions.',
      context: { section },
    },
  );
}

const lines = (statements: readonly string[]): string => statements.map(one => `${one};\n`).join('');

/** Pieces of a file: texts, and rows whose length is known or counted. */
type Piece =
  | string
  | { readonly bytes: () => Promise<number>; readonly rows: () => AsyncIterable<Uint8Array> };

function pieced(pieces: () => AsyncIterable<Piece>): MadeFile {
  return {
    async size() {
      let total = 0;
      for await (const piece of pieces())
        total += typeof piece === 'string' ? Buffer.byteLength(piece) : await piece.bytes();
      return total;
    },
    async *parts() {
      for await (const piece of pieces()) {
        if (typeof piece === 'string') yield Buffer.from(piece);
        else yield* piece.rows();
      }
    },
  };
}

/** COPY with its rows behind it, as psql reads them from the same file. */
const inline = (copy: string): string => `${copy.replace(' FROM STDIN ', ' FROM stdin ')};\n`;
const endOfRows = '\\.\n\n';

function tableFile(
  source: ChunkSource,
  {
    root,
    relation,
    encoding,
  }: { readonly root: ListingRoot; readonly relation: RelationEntry; readonly encoding: string },
): MadeFile {
  const table = { root, relation };
  return pieced(async function* () {
    yield inline(copyFromSql(relation, { encoding }));
    yield {
      bytes: () => tableBytes(source, table),
      rows: () => plainRows(relation, tableRows(source, table)),
    };
    yield endOfRows;
  });
}

async function tableBytes(source: ChunkSource, table: Parameters<typeof tableSegments>[1]): Promise<number> {
  let total = 0;
  for await (const segment of tableSegments(source, table)) total += await segmentRowBytes(source, segment);
  return total;
}

/** The same statements that a restore sends: objects are made, filled page by page, and given to their owners. */
function largeObjectsFile(
  source: ChunkSource,
  {
    root,
    relation,
    outline,
  }: { readonly root: ListingRoot; readonly relation: RelationEntry | undefined; readonly outline: Outline },
): MadeFile {
  const { definitions, record } = outline;
  const groups = (section: string): string =>
    [...groupsOf(definitions.get(section) ?? '')]
      .filter(group => group.trim() !== '')
      .map(group => `${group.trimEnd().replace(/;?$/, ';')}\n`)
      .join('');
  const copy = inline(`COPY ${pagesTable} FROM STDIN (FORMAT text, ENCODING ${literal(record.encoding)})`);
  const page = (segment: SegmentEntry): Piece => ({
    bytes: () => segmentRowBytes(source, segment),
    rows: () => plainRows(segment, segmentRows(source, segment)),
  });
  return pieced(async function* () {
    yield groups('large-objects');
    if (!relation) return;
    yield lines(pageTablesSql);
    for await (const segment of tableSegments(source, { root, relation })) {
      yield `TRUNCATE ${pagesTable};\n${copy}`;
      yield page(segment);
      yield endOfRows + lines(takePagesSql);
    }
    yield lines([lengthenSql]) + groups('large-objects-owners');
  });
}

function createText({ record }: Outline): string {
  const sql = createDatabaseSql(':"name"', { record, serverVersionNumber: record.serverVersionNumber });
  return `-- Makes the database. Another name: psql -v name=OTHER …
\\set ON_ERROR_STOP on
\\if :{?name}
\\else
  \\set name ${psqlWord(record.database)}
\\endif
${sql};
`;
}

/** What psql takes apart as one word, whatever is in it. */
const psqlWord = (text: string): string =>
  `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''").replaceAll('\n', '\\n').replaceAll('\r', '\\r')}'`;

/** In `:"DBNAME"` psql puts the name of the database that it is connected to. */
function settingsText({ record }: Outline): string {
  const { databaseSql, comment } = record;
  return `-- Owner, settings, grants and comment of the database itself: for its owner or a superuser.
\\set ON_ERROR_STOP on
SET client_encoding = 'UTF8';
${databaseSql.map(([before, after]) => `${before}:"DBNAME"${after};\n`).join('')}COMMENT ON DATABASE :"DBNAME" IS ${comment === null ? 'NULL' : literal(comment)};
`;
}

function loadText(
  { record, relations, definitions }: Outline,
  { files, lacksRows }: { readonly files: readonly string[]; readonly lacksRows: boolean },
): string {
  const settings = rowSettings.map(([name, value]) => `SET ${name} = ${literal(value)};`);
  const tolerant = (step: string): readonly string[] => [
    '\\set ON_ERROR_STOP off',
    `\\ir steps/${step}`,
    '\\set ON_ERROR_STOP on',
  ];
  const step = (title: string, ...commands: readonly string[]): string =>
    [`\\echo ${psqlWord(title)}`, ...commands, ''].join('\n');
  const isWatched = /\S/.test(definitions.get('post-data') ?? '');
  return [
    `-- Loads the database ${record.database.replace(/\s+/g, ' ')} into an empty one: psql -X -d NAME -f load.sql
-- It stops at the first error. Then drop the database, make it again, and load again.
\\set ON_ERROR_STOP on
\\set QUIET on
\\o /dev/null
SET client_encoding = 'UTF8';
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
${settings.join('\n')}
`,
    step('checking the target', '\\ir steps/check-target.sql'),
    step('types, functions and tables', '\\ir steps/pre-data.sql'),
    ...files.map((file, i) => step(`rows: ${i + 1} of ${files.length}`, `\\ir tables/${file}`)),
    step('large objects', '\\ir steps/large-objects.sql'),
    step('sequences', '\\ir steps/sequences.sql'),
    step(
      'keys, indexes and triggers',
      ...(isWatched ? (lacksRows ? tolerant('post-data.sql') : ['\\ir steps/post-data.sql']) : []),
    ),
    ...(refreshOrder(relations).length > 0 ? [step('materialized views', ...tolerant('refresh.sql'))] : []),
    step('counting the rows', '\\ir steps/check-rows.sql'),
    step('statistics', 'ANALYZE;'),
    '\\ir steps/event-triggers.sql\n',
    '\\o\n\\echo loaded, and every table has its rows\n',
  ].join('\n');
}

/** Refuses before anything is written: another encoding, something that is there, roles that are missing. */
function targetText({ record }: Outline): string {
  const roles = record.roles.map(literal).join(', ');
  return `DO $check$
DECLARE
  found text;
BEGIN
  IF pg_catalog.getdatabaseencoding() <> ${literal(record.encoding)} THEN
    RAISE EXCEPTION 'this database has the encoding %, and must have ${record.encoding.replaceAll("'", '')}: make it with create-database.sql', pg_catalog.getdatabaseencoding();
  END IF;
  SELECT o.name INTO found FROM (${userObjectsSql}) o (name) LIMIT 1;
  IF found IS NOT NULL THEN
    RAISE EXCEPTION 'this database is not empty: it holds %', found;
  END IF;
  SELECT pg_catalog.string_agg(r.name, ', ') INTO found FROM pg_catalog.unnest(ARRAY[${roles}]::text[]) r (name)
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles p WHERE p.rolname = r.name);
  IF found IS NOT NULL THEN
    RAISE EXCEPTION 'these roles are missing: % (see roles.sql)', found;
  END IF;
END
$check$;
`;
}

/** Counts what each table must hold; a partition whose rows the server placed itself is counted with its table. */
function countText(tables: readonly RelationEntry[]): string {
  const expected = new Map<string, number>();
  for (const { loadThrough, digest, condition, ...name } of tables) {
    const from = loadThrough ? qualified(loadThrough) : `ONLY ${qualified(name)} ${condition ?? ''}`;
    expected.set(from, (expected.get(from) ?? 0) + digest.rows);
  }
  const checks = [...expected].map(
    ([from, rows]) => `  SELECT pg_catalog.count(*) INTO n FROM ${from};
  IF n <> ${rows} THEN RAISE EXCEPTION 'a table has % rows, not ${rows}: %', n, ${literal(from.trim())}; END IF;
`,
  );
  return `DO $rows$
DECLARE
  n bigint;
BEGIN
${checks.join('')}END
$rows$;
`;
}

/** What a person does with the folder: a part of the archive's README. */
export function psqlInstructions({ name, serverVersion, tables, rows }: StoredDatabase): string {
  return `## The database

It was \`${printableText(name)}\` on PostgreSQL ${printableText(serverVersion)}: ${tables} tables, ${rows} rows. Install a server of that version or a newer one,
with the extensions that \`database/steps/pre-data.sql\` names and the locales that \`database/create-database.sql\` names, and psql of 14 or newer.

1. As a superuser, make the roles that are not there yet. \`database/roles.sql\` has all of them, without passwords; look before you run it:

        psql -X -d postgres -f database/roles.sql

2. Make the database, with its encoding and locale (another name: \`-v name=OTHER\`):

        psql -X -d postgres -f database/create-database.sql

3. Load it, as a superuser. It stops at the first error; it refuses a database that holds something, has another encoding, or lacks a role:

        psql -X -d NAME -f database/load.sql && psql -X -d NAME -f database/database-settings.sql

   \`loaded, and every table has its rows\` is its last line: each table was counted. After an error drop the database and begin again at 2.
4. Give the application's role its password again: \`ALTER ROLE … PASSWORD …\`.

Rows are in \`database/tables/\`, a file a table, as \`COPY\` text in the encoding of the database.
`;
}
