import type { DatabaseOwners } from '../../database.ts';
import { identifier } from '../sql/quoting.ts';
import { groupsOf, leadingWords, splitStatements, tokensOf } from '../sql/statements.ts';

type Pair = readonly [before: string, after: string];

/** Whether a statement names roles, and is not about who owns something. */
export function isGrant(statement: string): boolean {
  const [first, second, third] = leadingWords(statement, 3);
  if (first === 'grant' || first === 'revoke') return true;
  if (first === 'alter') return second === 'default' && third === 'privileges';
  // Around grants that another role than the owner gave.
  return (first === 'set' || first === 'reset') && second === 'session' && third === 'authorization';
}

/** The end of a statement that gives something to an owner, `DO` blocks of multiranges included. */
const ownerAtEnd =
  /\bOWNER TO (?:"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*)(?=;(?: END IF; END\$multirange\$;?)?\s*$)/u;

/** Definitions with other owners, and without grants where none are wanted. Groups stay groups. */
export function withOwners(sql: string, owners: DatabaseOwners): string {
  if (owners.owner === 'keep' && owners.grants) return sql;
  return [...groupsOf(sql)]
    .map(group => [...splitStatements(group)].map(one => changed(one, owners)).join(''))
    .join('\0');
}

function changed(statement: string, { owner, grants }: DatabaseOwners): string {
  if (!grants && isGrant(statement)) return '';
  if (owner === 'keep' || !givesOwner(statement)) return statement;
  return owner === 'restorer'
    ? ''
    : statement.replace(ownerAtEnd, () => `OWNER TO ${identifier(owner.role)}`);
}

function givesOwner(statement: string): boolean {
  const [first] = leadingWords(statement, 1);
  return (first === 'alter' || first === 'do') && ownerAtEnd.test(statement);
}

/**
 * Schemas go to their owners before what is in them does: an owner must be allowed to make things there, which matters
 * where no superuser restores.
 */
export function schemaOwnersFirst(sql: string): string {
  if (!/\bALTER SCHEMA [^;]* OWNER TO /.test(sql)) return sql;
  const statements = [...splitStatements(sql)];
  const isOfSchema = (one: string): boolean =>
    leadingWords(one, 2).join(' ') === 'alter schema' && givesOwner(one);
  const at = statements.findIndex(givesOwner);
  const rest = statements.filter(one => !isOfSchema(one));
  return [...rest.slice(0, at), ...statements.filter(isOfSchema), ...rest.slice(at)].join('');
}

/** The same for statements on the database itself. */
export function databaseSqlWithOwners(pairs: readonly Pair[], { owner, grants }: DatabaseOwners): Pair[] {
  return pairs.flatMap(([before, after]): Pair[] => {
    if (isOwnerPair([before, after])) {
      if (owner === 'keep') return [[before, after]];
      return owner === 'restorer' ? [] : [[before, ` OWNER TO ${identifier(owner.role)}`]];
    }
    const isOfRoles = /^(GRANT|REVOKE|ALTER ROLE) /.test(before);
    return isOfRoles && !grants ? [] : [[before, after]];
  });
}

/** Says who owns the database. */
export function isOwnerPair([before, after]: Pair): boolean {
  return before.startsWith('ALTER DATABASE ') && after.startsWith(' OWNER TO ');
}

/** Of some roles those that statements give something to, take it from, or speak for: some more, perhaps, but no fewer. */
export function rolesNamed(statements: Iterable<string>, roles: readonly string[]): string[] {
  const known = new Set(roles);
  const found = new Set<string>();
  for (const statement of statements) {
    const [first, second] = leadingWords(statement, 2);
    const names =
      isGrant(statement) ||
      givesOwner(statement) ||
      (first !== 'comment' && second === 'policy') ||
      second === 'user';
    if (!names) continue;
    let isAfter = false;
    for (const { kind, text } of tokensOf(statement)) {
      const name = kind === 'word' ? text.toLowerCase() : unquoted(text);
      if (isAfter && known.has(name)) found.add(name);
      isAfter ||= kind === 'word' && ['to', 'from', 'for', 'authorization'].includes(name);
    }
  }
  return roles.filter(role => found.has(role));
}

/** Owners that statements name. */
export function ownersNamed(statements: Iterable<string>): Set<string> {
  const found = new Set<string>();
  for (const statement of statements) {
    const [match] = (givesOwner(statement) && ownerAtEnd.exec(statement)) || [];
    if (match) found.add(unquoted(match.slice('OWNER TO '.length)));
  }
  return found;
}

function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
