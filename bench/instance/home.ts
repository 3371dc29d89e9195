import { appendFileSync, cpSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../store/index.ts';
import { readTip, type Tip, writeCommit, writeImport } from './commits.ts';
import { git } from './git.ts';
import { type Dice, rollDice } from './random.ts';
import { moveRef } from './refs.ts';

export interface HomeSeed {
  readonly repositories: number;
  readonly commitsPerRepository: number;
  /** Files that the home should have in all, about; filled up with attachments, avatars and loose objects. */
  readonly files: number;
  readonly dice: Dice;
  readonly clock: Clock;
}

/** A ref as it is in a seeded repository. */
export interface SeededRef {
  readonly repositoryId: number;
  readonly ref: string;
  readonly hash: string;
}

const repositoryFolder = 'shared/data/repositories';
/** Of the files that fill a home up, how many are loose objects; a repack takes those away. */
const looseShare = 0.1;

export function repositoryPath(home: string, id: number): string {
  return join(home, repositoryFolder, String(id));
}

/** True where an instance has made its home. */
export function isHome(path: string): boolean {
  return statSync(join(path, 'shared', 'bitbucket.properties'), { throwIfNoEntry: false }) !== undefined;
}

/** Lays a home out as Bitbucket does, with bare repositories 1 … n, and returns the refs that they have. */
export async function seedHome(home: string, seed: HomeSeed): Promise<SeededRef[]> {
  layFolders(home, seed.dice);
  const refs = await seedRepositories(home, seed);
  const missing = seed.files - (await countFiles(home));
  if (missing > 0) refs.push(...(await fillUp(home, { ...seed, missing })));
  return refs;
}

/** Writes what the application reads at its start. */
export function writeProperties(home: string, databaseUrl: string): void {
  const url = new URL(databaseUrl);
  const lines = [
    '# Written by the set-up; passwords are the administrator’s',
    'setup.displayName=Stand-in',
    'setup.baseUrl=http://localhost:7990',
    'jdbc.driver=org.postgresql.Driver',
    `jdbc.url=jdbc:postgresql://${url.host}${url.pathname}`,
    `jdbc.user=${decodeURIComponent(url.username)}`,
    `jdbc.password=${decodeURIComponent(url.password)}`,
  ];
  writeFileSync(join(home, 'shared', 'bitbucket.properties'), `${lines.join('\n')}\n`, { mode: 0o600 });
}

/** The application's log: part of the home, and written at any time while it is on. */
export interface HomeLog {
  isOn: boolean;
  write(text: string): void;
}

export function homeLog(
  home: string,
  { clock, isOn }: { readonly clock: Clock; readonly isOn: boolean },
): HomeLog {
  return {
    isOn,
    write(text) {
      if (!this.isOn) return;
      const time = new Date(clock.nowMs()).toISOString().replace('T', ' ').replace('Z', '');
      appendFileSync(join(home, 'log', 'atlassian-bitbucket.log'), `${time} INFO  ${text}\n`);
    },
  };
}

export async function countFiles(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter(entry => !entry.isDirectory()).length;
}

function layFolders(home: string, dice: Dice): void {
  const folders = [
    ...['bin', 'caches/indexes', 'export', 'lib', 'log/audit', 'plugins/.osgi-cache', 'tmp'],
    ...['shared/config', 'shared/data/attachments', 'shared/data/avatars', repositoryFolder],
    ...['shared/lib', 'shared/plugins/installed-plugins', 'shared/plugins/.bundled', 'shared/search/data'],
  ];
  for (const folder of folders) mkdirSync(join(home, folder), { recursive: true });
  const write = (path: string, content: string | Uint8Array, mode = 0o640) =>
    writeFileSync(join(home, path), content, { mode });
  write('.lock', '');
  write('shared/.lock', '');
  write('bin/git-askpass', '#!/bin/sh\necho "$STAND_IN_ANSWER"\n', 0o755);
  write('caches/indexes/segments_1', dice.bytes(3_000));
  write('log/audit/20260101.00000.audit.log', dice.text(2_000));
  write('plugins/.osgi-cache/cache.lock', '');
  write('shared/config/ssh-server-keys.pem', dice.text(1_700), 0o600);
  write('shared/plugins/installed-plugins/plugin.123.reports.jar', dice.bytes(200_000));
  write('shared/plugins/.bundled/bundle.jar', dice.bytes(20_000));
  write('shared/search/data/nodes.bin', dice.bytes(20_000));
  write('tmp/upload-1.part', dice.bytes(500));
}

async function seedRepositories(home: string, seed: HomeSeed): Promise<SeededRef[]> {
  const template = join(home, 'tmp', 'template.git');
  const main = await makeTemplate(template, seed);
  const refs: SeededRef[] = [];
  for (let repositoryId = 1; repositoryId <= seed.repositories; repositoryId += 1) {
    const path = repositoryPath(home, repositoryId);
    cpSync(template, path, { recursive: true });
    writeFileSync(
      join(path, 'repository-config'),
      `[bitbucket]\n\tid = ${repositoryId}\n\tslug = repository-${repositoryId}\n`,
    );
    refs.push({ repositoryId, ref: 'refs/heads/stable', hash: main.commit });
    const own = writeCommit(path, main, {
      dice: seed.dice,
      atSeconds: seconds(seed.clock),
      message: `First of ${repositoryId}`,
    });
    await moveRef(path, { ref: 'refs/heads/main', from: main.commit, to: own.commit }, seed.clock);
    refs.push({ repositoryId, ref: 'refs/heads/main', hash: own.commit });
  }
  rmSync(template, { recursive: true });
  return refs;
}

/** One real repository with a packed history, to be copied. */
async function makeTemplate(path: string, seed: HomeSeed): Promise<Tip> {
  await git(['init', '--quiet', '--bare', '--initial-branch=main', '--template=', path], { cwd: '/' });
  let tip: Tip | null = null;
  const commits = Math.max(1, seed.commitsPerRepository);
  for (let n = 1; n <= commits; n += 1) {
    const change = {
      dice: seed.dice,
      atSeconds: seconds(seed.clock) - 60 * (commits - n),
      message: `Commit ${n}`,
    };
    tip = writeCommit(path, tip, change);
  }
  const commit = tip!.commit;
  for (const ref of ['refs/heads/main', 'refs/heads/stable'])
    await moveRef(path, { ref, from: null, to: commit }, seed.clock);
  await git(['repack', '-adq'], { cwd: path });
  await git(['pack-refs', '--all'], { cwd: path });
  return readTip(path, commit);
}

async function fillUp(home: string, seed: HomeSeed & { readonly missing: number }): Promise<SeededRef[]> {
  const refs: SeededRef[] = [];
  const blobs = Math.floor((seed.missing * looseShare) / seed.repositories);
  for (let repositoryId = 1; blobs > 0 && repositoryId <= seed.repositories; repositoryId += 1) {
    const path = repositoryPath(home, repositoryId);
    const hash = writeImport(path, { dice: seed.dice, atSeconds: seconds(seed.clock), blobs });
    await moveRef(path, { ref: 'refs/heads/import', from: null, to: hash }, seed.clock);
    refs.push({ repositoryId, ref: 'refs/heads/import', hash });
  }
  const rest = seed.missing - refs.length * (blobs + 1);
  // Cheap bytes: the files must differ, not impress.
  const filler = rollDice(rest).bytes(8_192);
  for (let n = 0; n < rest; n += 1) {
    const repositoryId = 1 + (n % seed.repositories);
    const folder =
      n % 10 === 0 ? 'shared/data/avatars/users' : `shared/data/attachments/repository/${repositoryId}`;
    if (n < 10 * seed.repositories) mkdirSync(join(home, folder), { recursive: true });
    const length = 200 + ((n * 37) % 3_000);
    const content = Buffer.concat([
      Buffer.from(`attachment ${n}\n`),
      filler.subarray(n % 4_000, (n % 4_000) + length),
    ]);
    writeFileSync(join(home, folder, `${n.toString(16).padStart(10, '0')}.bin`), content);
  }
  return refs;
}

function seconds(clock: Clock): number {
  return Math.floor(clock.nowMs() / 1000);
}
