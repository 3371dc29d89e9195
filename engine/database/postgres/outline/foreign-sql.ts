import { storeError } from '../../../../store/index.ts';
import { groupsOf, leadingWords, splitStatements, wordsOf } from '../sql/statements.ts';

/**
 * What SQL of a snapshot may not be. Definitions are the application's code: whoever could write a snapshot can have
 * functions, defaults and rules run as the role that restores, whatever is checked here. But nothing that moves data,
 * reaches the server's files or other databases, or ends the transaction is a definition, and no backup writes it.
 */
const noDefinition: ReadonlySet<string> = new Set([
  ...['abort', 'begin', 'commit', 'end', 'prepare', 'release', 'rollback', 'savepoint', 'start'],
  ...[
    'call',
    'checkpoint',
    'cluster',
    'copy',
    'delete',
    'discard',
    'do',
    'execute',
    'import',
    'insert',
    'listen',
  ],
  ...[
    'load',
    'lock',
    'merge',
    'notify',
    'reassign',
    'reindex',
    'show',
    'table',
    'truncate',
    'update',
    'vacuum',
  ],
  ...['values', 'with'],
]);
/** Things of the server, not of a database. */
const ofTheServer: ReadonlySet<string> = new Set([
  'database',
  'group',
  'role',
  'system',
  'tablespace',
  'user',
]);
/** What pg_dump calls. */
const selected: ReadonlySet<string> = new Set([
  ...['set_config', 'lo_create'],
  ...['pg_restore_relation_stats', 'pg_restore_attribute_stats', 'pg_restore_extended_stats'],
]);
const asksSetting = /set_config/i;
const setsPath = /^\s*(--[^\n]*\n\s*)*SELECT pg_catalog\.set_config\('search_path', '[^'\\]*', false\);?\s*$/;
/** The one block of code that a backup writes: what a newer server refuses to hear. */
const multirangeOwner =
  /^\s*(?:--[^\n]*\n\s*)*DO \$multirange\$BEGIN IF pg_catalog\.current_setting\('server_version_num'\)::integer < 170000 THEN (ALTER TYPE [\s\S]*); END IF; END\$multirange\$;?\s*$/;
/** The splitter and the server would no longer agree where a statement ends. */
const splitSettings: ReadonlySet<string> = new Set(['standard_conforming_strings', 'backslash_quote']);

/** Those of a hundred thousand tables are a million. */
const statementsHeld = 4_000_000;

/** SQL is cut into statements as psql cuts it; groups end in a NUL. STORE_DAMAGED, also where nobody could hold them all. */
export function checkDefinitions(
  section: string,
  sql: string,
  { statementsMax = statementsHeld }: { readonly statementsMax?: number } = {},
): void {
  let left = statementsMax;
  for (const group of groupsOf(sql)) {
    left -= 1;
    for (const statement of splitStatements(group)) {
      left -= 1;
      if (left < 0) throw noBackupWrites(section, 'too many statements');
      if (!isDefinition(statement)) throw noBackupWrites(section, statement);
    }
    if (left < 0) throw noBackupWrites(section, 'too many groups');
  }
}

function isDefinition(statement: string): boolean {
  const [first, second, third] = leadingWords(statement, 3);
  switch (first) {
    case undefined:
      return false; // \connect, \! and the like: nothing but psql knows them
    case 'create':
    case 'alter':
      return !ofTheServer.has(second ?? '') || (second === 'user' && third === 'mapping');
    case 'do': {
      const alter = multirangeOwner.exec(statement)?.[1];
      return alter !== undefined && !wordsOf(alter).includes(';') && isDefinition(alter);
    }
    case 'drop':
      return second === 'schema' && third === 'public';
    case 'grant':
    case 'revoke':
      return wordsOf(statement).includes('on'); // without it, it is about membership in a role
    case 'set':
      return !wordsOf(statement).some(word => splitSettings.has(word)) || third === 'on';
    case 'select':
      return (
        wordsOf(statement).some(word => selected.has(word)) &&
        (!asksSetting.test(statement) || setsPath.test(statement))
      );
    default:
      return !noDefinition.has(first);
  }
}

const before =
  /^(ALTER DATABASE |REVOKE ALL ON DATABASE |GRANT [A-Z]+ ON DATABASE |ALTER ROLE "(?:[^"]|"")*" IN DATABASE )$/;
const after = /^ (OWNER TO |CONNECTION LIMIT |FROM PUBLIC, |TO |SET )/;

/** Statements on the database itself, in two parts around its name: each is one statement of a kind that a backup writes. */
export function checkDatabaseSql(pairs: readonly (readonly [string, string])[]): void {
  for (const [start, end] of pairs) {
    const statement = `${start}"name"${end}`;
    const isOne = [...splitStatements(`${statement};`)].length === 1 && !wordsOf(statement).includes(';');
    if (!before.test(start) || !after.test(end) || !isOne) throw noBackupWrites('facts', statement);
  }
}

/** What makes one role and does nothing else. */
export const isCreateRole = (line: string): boolean =>
  /^CREATE ROLE "(?:[^"\n]|"")+"(?: NOINHERIT| SUPERUSER| CREATEROLE| CREATEDB| LOGIN| REPLICATION| BYPASSRLS| CONNECTION LIMIT \d+)*;$/.test(
    line,
  );

const shownMax = 60;

function noBackupWrites(section: string, statement: string): Error {
  const text = statement.trim().replace(/\s+/g, ' ');
  const shown = text.length > shownMax ? `${text.slice(0, shownMax)}…` : text;
  return storeError(
    'STORE_DAMAGED',
    `Cannot restore the database: its definitions (${section}) hold what no backup writes: ${shown}`,
    {
      remedy:
        'Find out who wrote this snapshot before you restore from this store; `stillpoint cat` prints the definitions.',
      context: { section },
    },
  );
}
