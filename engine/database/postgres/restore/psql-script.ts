import { storeError } from '../../../../store/index.ts';
import type { SqlOptions } from '../../database.ts';
import { equalDigests } from '../../digest.ts';
import type { RelationEntry } from '../entries/relation-entry.ts';
import { readWanted, type Wanted } from '../outline/wanted.ts';
import { rowTaker } from '../rows/row-taker.ts';
import { tableRows } from '../rows/table-rows.ts';
import { identifier, literal, qualified } from '../sql/quoting.ts';
import { copyFromSql, refreshOrder, setvalSql, splitPostData } from '../sql/restore-steps.ts';
import { groupsOf, splitStatements, tokensOf } from '../sql/statements.ts';
import { createDatabaseSql } from './create-database.ts';
import { pageStatements } from './page-statements.ts';
import { mismatch } from './verify-rows.ts';

/**
 * A database as SQL that psql loads, in one transaction: a script that ends early, or whose rows are not those backed up,
 * has no COMMIT and leaves nothing. Rows are in the encoding of the database. Pieces are good until the next pull.
 */
export async function* databaseSql(options: SqlOptions): AsyncGenerator<Uint8Array | string> {
  const wanted = await readWanted(options);
  for (const warning of wanted.warnings) options.onWarning?.(warning);
  const { record, definitions, relations } = wanted;
  yield head(wanted);
  yield* script(definitions.get('pre-data'));
  const done = { rows: 0, bytes: 0 };
  for (const relation of relations) {
    if (relation.kind !== 'table' || relation.digest.rows === 0) continue;
    yield `\n${copyFromSql(relation, record)};\n`;
    yield* checkedRows(relation, {
      ...options,
      onBytes: bytes => {
        done.bytes += bytes;
        options.onProgress?.(done);
      },
    });
    yield '\\.\n\n';
    done.rows += relation.digest.rows;
  }
  yield* largeObjects(wanted, options);
  for (const sequence of wanted.sequences) yield `${setvalSql(sequence)};\n`;
  const { after, last } = splitPostData(definitions.get('post-data') ?? '');
  yield* script(after.join(''));
  for (const view of refreshOrder(relations)) yield `\nREFRESH MATERIALIZED VIEW ${qualified(view)};\n`;
  if (!wanted.part) yield* ofTheDatabase(wanted);
  yield* script(last.join(''));
  yield '\nANALYZE;\nCOMMIT;\n';
}

function head({ record, definitions, part, warnings }: Wanted): string {
  const create = createDatabaseSql(identifier(record.database), {
    record,
    serverVersionNumber: record.serverVersionNumber,
  });
  const globals = definitions.get('globals') ?? '';
  const roles = record.roles.length === 0 ? [] : ['Roles that it names:', ...globals.split('\n')];
  const encoding = record.encoding === 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8';
  return [
    ...[
      `${part ? 'A part of the' : 'The'} database ${record.database} of PostgreSQL ${record.serverVersion}, with its rows.`,
      'Load it with: psql -X -d DATABASE -f FILE',
      ...(part ? [] : [`into an empty database, such as: ${create};`]),
      'It is one transaction: what cannot be loaded whole leaves nothing.',
      ...warnings,
      ...roles,
    ].map(line => `-- ${line.replace(/[\r\n]+/g, ' ')}`),
    '',
    '\\set ON_ERROR_STOP on',
    'BEGIN;',
    `SET client_encoding = '${encoding}';`,
    ...['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'].map(
      name => `SET ${name} = 0;`,
    ),
    ...record.settings.map(
      ([name, value]) => `SELECT pg_catalog.set_config(${literal(name)}, ${literal(value)}, false);`,
    ),
    '',
  ].join('\n');
}

function* ofTheDatabase({ record }: Wanted): Generator<string> {
  yield '\n';
  for (const [before, after] of record.databaseSql) yield `${before}:"DBNAME"${after};\n`;
  if (record.comment !== null) yield `COMMENT ON DATABASE :"DBNAME" IS ${literal(record.comment)};\n`;
}

/** psql takes what follows a backslash outside of quotes for a command of its own: a definition has none. STORE_DAMAGED. */
function* script(sql: string | undefined): Generator<string> {
  for (const group of groupsOf(sql ?? ''))
    for (const statement of splitStatements(group)) {
      for (const { kind, text } of tokensOf(statement))
        if (kind === 'other' && text.length === 1 && /['"$\\]/.test(text) && !(text === '$'))
          throw hostile('a definition', 'there is a command for psql in it');
      yield `${statement.trimEnd()}${statement.trimEnd().endsWith(';') ? '' : ';'}\n`;
    }
}

const endMark = Buffer.from('\n\\.');

/** The rows as they are stored, checked: none may end the data early, and all must be there. */
async function* checkedRows(
  relation: RelationEntry,
  options: SqlOptions & { readonly onBytes: (bytes: number) => void },
): AsyncGenerator<Uint8Array> {
  const what = `${relation.schema}.${relation.name}`;
  const taker = rowTaker({ key: options.digestKey, hasPlaces: false, onRow: undefined });
  let tail = Buffer.from('\n');
  for await (const bytes of tableRows(options.source, { root: options.root, relation })) {
    options.onBytes(bytes.length);
    options.signal?.throwIfAborted();
    const edge = Buffer.concat([tail, bytes.subarray(0, endMark.length)]);
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    if (edge.includes(endMark) || buffer.includes(endMark) || buffer.includes(0))
      throw hostile(`the rows of ${what}`, 'there is what no row has');
    for (const _ of taker.text(bytes)); // adds them up
    yield bytes;
    tail = Buffer.concat([tail, buffer.subarray(-endMark.length)]).subarray(-endMark.length);
  }
  const { result, isBetweenRows } = taker;
  if (!isBetweenRows || !equalDigests(result, relation.digest))
    throw mismatch(what, { expected: relation.digest, restored: result });
  taker.release();
}

async function* largeObjects(wanted: Wanted, options: SqlOptions): AsyncGenerator<string> {
  const relation = wanted.relations.find(one => one.kind === 'large-objects');
  yield* script(wanted.definitions.get('large-objects'));
  if (relation) yield* pageStatements(checkedRows(relation, { ...options, onBytes: () => {} }));
  yield* script(wanted.definitions.get('large-objects-owners'));
}

function hostile(what: string, found: string): Error {
  return storeError('STORE_DAMAGED', `Cannot write ${what} as SQL: ${found}`, {
    remedy: 'Find out who wrote this snapshot before you restore from this store.',
  });
}
