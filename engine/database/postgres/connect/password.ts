import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export interface PasswordQuestion {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

type PasswordFile = { readonly passfile: string | undefined };

/**
 * The password that PGPASSFILE (or ~/.pgpass) has for a connection, by libpq's rules: the first line that fits, `*` fits
 * all, a file that others may read is ignored. Read here because pg's own way to do it warns on stderr.
 */
export function passwordFromFile(question: PasswordQuestion, named: PasswordFile): string | undefined {
  const path = pathOf(named);
  if (ignoredPasswordFile(named) !== undefined) return undefined;
  try {
    return findPassword(readFileSync(path, 'utf8'), question);
  } catch {
    return undefined; // no such file: the server may not want a password
  }
}

/** A password file that others may read, too. */
export function ignoredPasswordFile(named: PasswordFile): string | undefined {
  const path = pathOf(named);
  try {
    const { mode } = statSync(path);
    return (mode & 0o077) === 0 ? undefined : path;
  } catch {
    return undefined;
  }
}

function pathOf({ passfile }: PasswordFile): string {
  return passfile ?? join(homedir(), '.pgpass');
}

/** The pure half of `passwordFromFile`. */
export function findPassword(text: string, question: PasswordQuestion): string | undefined {
  const host = question.host.startsWith('/') ? 'localhost' : question.host;
  const wanted = [host, String(question.port), question.database, question.user];
  for (const line of text.split(/\r?\n/)) {
    if (line === '' || line.startsWith('#')) continue;
    const fields = splitFields(line);
    if (fields.length < 5) continue;
    if (wanted.every((value, i) => fields[i] === '*' || unescaped(fields[i] ?? '') === value))
      return unescaped(fields.slice(4).join(':'));
  }
  return undefined;
}

function splitFields(line: string): string[] {
  return line.split(/(?<!(?<!\\)(?:\\\\)*\\):/);
}

function unescaped(field: string): string {
  return field.replace(/\\(.)/g, '$1');
}
