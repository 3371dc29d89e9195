import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Acknowledged } from './acknowledged.ts';
import { type Database, openDatabase } from './database.ts';
import { git, runGit } from './git.ts';
import { repositoryPath } from './home.ts';
import { readRefs, zeroHash } from './refs.ts';

export interface PairCheck {
  readonly home: string;
  readonly databaseUrl: string;
  /** What the writers were told, with the latch that the pair was taken in, by the clock of the same instance. */
  readonly told?: {
    readonly acknowledged: readonly Acknowledged[];
    /** Everything acknowledged up to then must be there: the instant of the drain. */
    readonly drainedMs: number;
    /** Nothing accepted from then on may be there: the instant of the unlock. */
    readonly unlockedMs: number;
  };
  /** `none` unless told; `connectivity` walks what refs reach, `full` also reads every object. */
  readonly fsck?: 'none' | 'connectivity' | 'full';
}

export interface Disagreement {
  readonly kind:
    | 'repository-missing' // a row, no folder
    | 'repository-unknown' // a folder, no row
    | 'ref-differs' // the ref is not where its newest row says; null = no such ref, no such row
    | 'commit-missing' // a row names a commit that the repository lacks
    | 'fsck'
    | 'write-lost' // acknowledged before the drain, and not there
    | 'write-too-new'; // accepted after the unlock, and there
  readonly repositoryId: number;
  readonly ref?: string;
  readonly inHome?: string | null;
  readonly inDatabase?: string | null;
  readonly detail?: string;
}

export interface PairReport {
  readonly repositories: number;
  readonly refs: number;
  readonly commits: number;
  readonly acknowledged: { readonly expected: number; readonly forbidden: number };
  readonly disagreements: readonly Disagreement[];
}

/** Proves from the halves alone, with no instance running, that home and database agree. */
export async function checkPair(check: PairCheck): Promise<PairReport> {
  const database = await openDatabase(check.databaseUrl);
  try {
    const rows = await readRows(database);
    const disagreements: Disagreement[] = [...compareRepositories(check.home, rows)];
    const count = { refs: 0, commits: 0 };
    for (const [repositoryId, { newest, commits }] of rows) {
      const path = repositoryPath(check.home, repositoryId);
      if (!existsSync(path)) continue;
      const refs = readRefs(path);
      disagreements.push(...compareRefs(repositoryId, refs, newest));
      for (const commit of await missingCommits(path, commits))
        disagreements.push({ kind: 'commit-missing', repositoryId, inDatabase: commit });
      if (check.fsck && check.fsck !== 'none')
        disagreements.push(...(await fsck(path, repositoryId, check.fsck)));
      count.refs += refs.size;
      count.commits += commits.size;
    }
    const told = await compareTold(check, database);
    disagreements.push(...told.disagreements);
    const acknowledged = { expected: told.expected, forbidden: told.forbidden };
    return { repositories: rows.size, ...count, acknowledged, disagreements };
  } finally {
    await database.close();
  }
}

interface RepositoryRows {
  /** ref → newest hash. */
  readonly newest: Map<string, string>;
  /** Every commit that a row names. */
  readonly commits: Set<string>;
}

async function readRows(database: Database): Promise<Map<number, RepositoryRows>> {
  const found = new Map<number, RepositoryRows>();
  for (const { id } of await database.repositories())
    found.set(id, { newest: new Map(), commits: new Set() });
  const moves = await database.query(
    'SELECT repository_id, ref_name, to_hash FROM public.ref_update ORDER BY id',
  );
  for (const move of moves) {
    const rows = found.get(Number(move['repository_id']))!; // a foreign key
    const hash = String(move['to_hash']);
    rows.newest.set(String(move['ref_name']), hash);
    if (hash !== zeroHash) rows.commits.add(hash);
  }
  return found;
}

function compareRepositories(home: string, rows: ReadonlyMap<number, unknown>): Disagreement[] {
  const folder = join(repositoryPath(home, 0), '..');
  const inHome = new Set(existsSync(folder) ? readdirSync(folder).map(Number) : []);
  const missing = [...rows.keys()].filter(id => !inHome.has(id));
  const unknown = [...inHome].filter(id => !rows.has(id));
  return [
    ...missing.map(repositoryId => ({ kind: 'repository-missing', repositoryId }) as const),
    ...unknown.map(repositoryId => ({ kind: 'repository-unknown', repositoryId }) as const),
  ];
}

function compareRefs(
  repositoryId: number,
  refs: ReadonlyMap<string, string>,
  newest: ReadonlyMap<string, string>,
): Disagreement[] {
  const different: Disagreement[] = [];
  for (const ref of new Set([...refs.keys(), ...newest.keys()])) {
    const inHome = refs.get(ref) ?? null;
    const inDatabase = newest.get(ref) ?? null;
    if (inHome === inDatabase || (inHome === null && inDatabase === zeroHash)) continue;
    different.push({ kind: 'ref-differs', repositoryId, ref, inHome, inDatabase });
  }
  return different;
}

async function missingCommits(path: string, commits: ReadonlySet<string>): Promise<string[]> {
  if (commits.size === 0) return [];
  const args = ['cat-file', '--batch-check=%(objectname) %(objecttype)', '--buffer'];
  const answer = await git(args, { cwd: path, input: `${[...commits].join('\n')}\n` });
  return answer
    .split('\n')
    .filter(line => line !== '' && !line.endsWith(' commit'))
    .map(line => line.slice(0, 40));
}

async function fsck(
  path: string,
  repositoryId: number,
  depth: 'connectivity' | 'full',
): Promise<Disagreement[]> {
  const args = [
    'fsck',
    '--no-dangling',
    '--no-progress',
    depth === 'full' ? '--full' : '--connectivity-only',
  ];
  const { code, stdout, stderr } = await runGit(args, { cwd: path });
  return code === 0 ? [] : [{ kind: 'fsck', repositoryId, detail: `${stdout}${stderr}`.trim() }];
}

async function compareTold(
  check: PairCheck,
  database: Database,
): Promise<{ expected: number; forbidden: number; disagreements: Disagreement[] }> {
  const { told } = check;
  if (!told) return { expected: 0, forbidden: 0, disagreements: [] };
  const expected = told.acknowledged.filter(one => one.acknowledgedMs <= told.drainedMs);
  const forbidden = told.acknowledged.filter(one => one.acceptedMs >= told.unlockedMs);
  const ids = [...expected, ...forbidden].map(one => one.rowId);
  const rows = await database.query(
    'SELECT id, to_hash FROM public.ref_update WHERE id = ANY ($1::bigint[])',
    [ids],
  );
  const hashes = new Map(rows.map(row => [Number(row['id']), String(row['to_hash'])]));
  const name = (kind: Disagreement['kind'], one: Acknowledged, detail: string): Disagreement => ({
    ...{ kind, repositoryId: one.repositoryId, ref: one.ref },
    detail: `write ${one.sequence}: ${detail}`,
  });
  const disagreements = [
    ...expected
      .filter(one => hashes.get(one.rowId) !== (one.to ?? zeroHash))
      .map(one => name('write-lost', one, 'its row is not there')),
    ...forbidden
      .filter(one => hashes.has(one.rowId))
      .map(one => name('write-too-new', one, 'its row is there')),
    ...(await commitsAmong(check.home, forbidden)).map(one =>
      name('write-too-new', one, 'its commit is there'),
    ),
  ];
  return { expected: expected.length, forbidden: forbidden.length, disagreements };
}

/** Of these writes, those whose commit the home has. That of an expected write is among the commits of the rows. */
async function commitsAmong(home: string, writes: readonly Acknowledged[]): Promise<Acknowledged[]> {
  const byRepository = new Map<number, Acknowledged[]>();
  for (const one of writes) {
    if (one.to === null) continue;
    byRepository.set(one.repositoryId, [...(byRepository.get(one.repositoryId) ?? []), one]);
  }
  const there: Acknowledged[] = [];
  for (const [repositoryId, list] of byRepository) {
    const path = repositoryPath(home, repositoryId);
    if (!existsSync(path)) continue;
    const missing = new Set(await missingCommits(path, new Set(list.map(one => one.to!))));
    there.push(...list.filter(one => !missing.has(one.to!)));
  }
  return there;
}
