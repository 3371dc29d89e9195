import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Snapshot } from '../pair.ts';

export interface AfterwardsOptions {
  /** Where the home was restored to, if it was. */
  readonly home: string | undefined;
  /** What the database was restored into, without a password, if it was. */
  readonly databaseUrl: string | undefined;
}

/** What the administrator must know or do after a restore, most urgent first. One sentence each. */
export async function afterwards(snapshot: Snapshot, options: AfterwardsOptions): Promise<string[]> {
  const notes: string[] = [];
  const jdbc = options.home && (await readJdbcUrl(options.home));
  if (jdbc && options.databaseUrl && !sameDatabase(jdbc, options.databaseUrl)) {
    notes.push(
      `DO NOT START the application yet: shared/bitbucket.properties says jdbc.url=${jdbc}, but the database was restored into ` +
        `${options.databaseUrl}. A twin that writes to the live database destroys both. Change that line first.`,
    );
  }
  const { displayName, version, identity } = snapshot.fence.application;
  if (version) {
    notes.push(`Install ${displayName} ${version}: the version that was backed up.`);
  }
  if (identity) {
    notes.push(
      `The base URL of the backup was ${identity}: change it in the administration pages if this instance has another, ` +
        'and keep outgoing mail off until then.',
    );
  }
  if (snapshot.home) {
    notes.push(
      'Caches and search indexes are not part of a backup: let the application rebuild its search index.',
    );
  }
  return notes;
}

async function readJdbcUrl(home: string): Promise<string | undefined> {
  for (const file of ['shared/bitbucket.properties', 'bitbucket.properties']) {
    try {
      const path = join(home, file);
      if (!(await lstat(path)).isFile()) continue;
      const text = await readFile(path, 'utf8');
      const line = /^\s*jdbc\.url\s*[=:]\s*(.+?)\s*$/m.exec(text);
      if (line) return line[1];
    } catch (error) {
      // Other applications have no such file; then there is nothing to compare.
      if (!['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  return undefined;
}

/** Whether jdbc:postgresql://host:port/name and postgresql://user@host:port/name mean the same database. */
function sameDatabase(jdbc: string, url: string): boolean {
  const a = databaseOf(jdbc.replace(/^jdbc:/, ''));
  const b = databaseOf(url);
  return a !== undefined && a === b;
}

/** `host:port/name`, which is the same however its URL is written; undefined for what is no URL. */
export function databaseOf(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const host = ['', 'localhost', '[::1]'].includes(url.hostname) ? '127.0.0.1' : url.hostname;
  return `${host}:${url.port || '5432'}${url.pathname}`;
}
