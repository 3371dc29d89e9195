import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { engineError } from '../../../errors.ts';
import type { Values } from './conninfo.ts';

/** Debian's, and that of a server that was built from its source. */
const systemFolders = ['/etc/postgresql-common', '/usr/local/pgsql/etc', '/etc'];

/** What a service file says of a service, the user's own first. CONFIG_INVALID. */
export function readService(
  service: string,
  options: {
    readonly env: NodeJS.ProcessEnv;
    readonly parse: (values: Readonly<Record<string, string>>, where: string) => Values;
  },
): Values {
  const { env } = options;
  const folder = env['PGSYSCONFDIR'];
  const files = [
    env['PGSERVICEFILE'] ?? join(env['HOME'] ?? homedir(), '.pg_service.conf'),
    ...(folder === undefined ? systemFolders : [folder]).map(one => join(one, 'pg_service.conf')),
  ];
  for (const file of files) {
    const found = sectionOf(textOf(file), service);
    if (found) return options.parse(found, `${file} [${service}]`);
  }
  throw engineError('CONFIG_INVALID', `Cannot find the service ${service}: no service file has it`, {
    remedy: `Write it into ${files[0]} as [${service}] with host, port, dbname and user, a line each.`,
  });
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // not there, or not for us: another file may have it
  }
}

function sectionOf(text: string, service: string): Record<string, string> | undefined {
  let found: Record<string, string> | undefined;
  for (const line of text.split(/\r?\n/).map(one => one.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('[')) {
      if (found) return found;
      if (line === `[${service}]`) found = {};
      continue;
    }
    const at = line.indexOf('=');
    if (found && at > 0) found[line.slice(0, at)] = line.slice(at + 1);
  }
  return found;
}
