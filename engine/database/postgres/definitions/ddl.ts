import { execFile } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { engineError } from '../../../errors.ts';
import type { Connection } from '../connect/connection.ts';
import { locksRemedy } from '../connect/failure.ts';
import { libpqEnvironment } from '../connect/libpq.ts';
import { readCatalogDdl } from './catalog-ddl/index.ts';
import { readLosses } from './losses.ts';

/** The definitions as SQL: what must exist before the rows, and what is made after them. */
export interface Ddl {
  /** `pg_dump 15.20` or `catalog`. */
  readonly source: string;
  readonly preData: string;
  readonly postData: string;
  /** What the tool said on stderr, line by line, and what nobody writes down. */
  readonly warnings: readonly string[];
}

/** A `pg_dump` that can read a server. */
export interface DumpTool {
  readonly path: string;
  /** `15.20`. */
  readonly version: string;
}

const run = promisify(execFile);
const restrictKey = 'stillpoint';
const versionsRoot = '/usr/lib/postgresql';
/** Definitions of 100,000 tables are some 100 MB. */
const outputBytesMax = 1024 ** 3;

/** The pg_dump that fits a server best: of the same major version, else the oldest that is newer; undefined: none. */
export async function findDumpTool(
  serverVersionNumber: number,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<DumpTool | undefined> {
  const serverMajor = Math.floor(serverVersionNumber / 10_000);
  let best: DumpTool | undefined;
  for (const path of candidates()) {
    const tool = await inspect(path, options.signal);
    if (!tool || majorOf(tool) < serverMajor) continue;
    if (majorOf(tool) === serverMajor) return tool;
    if (!best || majorOf(tool) < majorOf(best)) best = tool;
  }
  return best;
}

/** Looks at one pg_dump; undefined when it cannot be run. */
export async function inspect(path: string, signal?: AbortSignal): Promise<DumpTool | undefined> {
  if (!existsSync(path)) return undefined;
  try {
    const { stdout } = await run(path, ['--version'], { signal });
    const version = /(\d+(?:\.\d+)?)/.exec(stdout)?.[1];
    return version === undefined ? undefined : { path, version };
  } catch {
    if (signal?.aborted) throw signal.reason;
    return undefined; // not there or not executable: the next candidate, else the catalog reader
  }
}

function majorOf(tool: DumpTool): number {
  return Number.parseInt(tool.version, 10);
}

/** The versioned ones first. Debian's /usr/bin/pg_dump is a script that chooses among them by its own rules: left out. */
function candidates(): string[] {
  let versions: string[] = [];
  try {
    versions = readdirSync(versionsRoot);
  } catch {
    // not a Debian: the PATH is all there is
  }
  return [
    ...versions.map(version => join(versionsRoot, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter).filter(folder => folder !== ''),
  ]
    .map(folder => join(folder, 'pg_dump'))
    .filter(path => existsSync(path) && basename(realpathSync(path)) !== 'pg_wrapper');
}

export interface ReadDdlOptions {
  readonly tool: DumpTool | undefined;
  readonly encoding: string;
  /** An exported one that is still held. */
  readonly exportedSnapshot: string;
  readonly signal?: AbortSignal | undefined;
}

export function ddlSourceOf(tool: DumpTool | undefined): string {
  return tool ? `pg_dump ${tool.version}` : 'catalog';
}

/** Reads the definitions of a database as of a snapshot; the connection must be in that snapshot's transaction. */
export async function readDdl(connection: Connection, options: ReadDdlOptions): Promise<Ddl> {
  const read = await readDefinitions(connection, options);
  const ddl = { ...read, warnings: [...read.warnings, ...(await readLosses(connection))] };
  const [row] = await connection.rows<{ has_public: boolean }>(
    'read definitions',
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public') AS has_public",
  );
  // A new database comes with it, and no tool says that this one lacks it.
  return row!.has_public ? ddl : { ...ddl, preData: `DROP SCHEMA public;\n${ddl.preData}` };
}

async function readDefinitions(connection: Connection, options: ReadDdlOptions): Promise<Ddl> {
  const { tool } = options;
  const source = ddlSourceOf(tool);
  if (!tool) return { source, ...(await readCatalogDdl(connection.client)), warnings: [] };
  const help = await run(tool.path, ['--help'], { signal: options.signal });
  const takesRestrictKey = help.stdout.includes('--restrict-key');
  const [pre, post] = await Promise.all([
    dumpSection(connection, { ...options, tool, takesRestrictKey, section: 'pre-data' }),
    dumpSection(connection, { ...options, tool, takesRestrictKey, section: 'post-data' }),
  ]);
  return {
    source,
    preData: pre.sql,
    postData: post.sql,
    warnings: [...new Set([...pre.warnings, ...post.warnings])],
  };
}

interface Section {
  readonly sql: string;
  readonly warnings: readonly string[];
}

async function dumpSection(
  connection: Connection,
  options: ReadDdlOptions & {
    readonly tool: DumpTool;
    readonly takesRestrictKey: boolean;
    readonly section: 'pre-data' | 'post-data';
  },
): Promise<Section> {
  const { tool, section, signal } = options;
  // Everything but an encoding-less database can be said in UTF-8, which is what a restore sends.
  const encoding = options.encoding === 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8';
  const args = [
    ...['--schema-only', `--section=${section}`, '--no-sync', '--no-password', `--encoding=${encoding}`],
    ...[`--snapshot=${options.exportedSnapshot}`, '--lock-wait-timeout=10000'],
    ...(options.takesRestrictKey ? [`--restrict-key=${restrictKey}`] : []),
  ];
  const env = { ...process.env, ...libpqEnvironment(connection) };
  let output: { stdout: Buffer; stderr: Buffer };
  try {
    output = await run(tool.path, args, { signal, env, maxBuffer: outputBytesMax, encoding: 'buffer' });
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    const said = String((error as { stderr?: Buffer }).stderr ?? '').trim();
    throw engineError(
      'DATABASE_FAILED',
      `Cannot read definitions with ${tool.path}: ${said || 'it failed'}`,
      {
        remedy: remedyOf(said) ?? `Try it by hand: ${tool.path} --schema-only.`,
      },
    );
  }
  return { sql: withoutRestrict(textOf(output.stdout)), warnings: linesOf(output.stderr.toString()) };
}

function remedyOf(said: string): string | undefined {
  if (said.includes('max_locks_per_transaction')) return locksRemedy;
  return /LOCK TABLE|lock timeout|statement timeout/.test(said)
    ? 'Run it again when no other session holds that table for itself (VACUUM FULL, CLUSTER, ALTER TABLE).'
    : undefined;
}

function textOf(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw engineError('DATABASE_UNSUPPORTED', 'Cannot read definitions: some are not valid UTF-8', {
      remedy:
        'Find names, defaults or comments with other characters; a SQL_ASCII database does not check them.',
      cause,
    });
  }
}

function linesOf(text: string): string[] {
  return text.split('\n').filter(line => line.trim() !== '');
}

/** Newer tools guard a script for psql with a random key: meaningless here, and different on every run. */
export function withoutRestrict(sql: string): string {
  const opened = /^\\restrict (\S+)\n/m.exec(sql);
  if (!opened) return sql;
  const start = sql.slice(0, opened.index) + sql.slice(opened.index + opened[0].length);
  const closing = `\n\\unrestrict ${opened[1]}\n`;
  const at = start.lastIndexOf(closing);
  return at < 0 ? start : start.slice(0, at + 1) + start.slice(at + closing.length);
}
