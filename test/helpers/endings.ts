import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Ended, type Rig, type RigOptions, runHere } from '../../bench/rig/index.ts';
import type { BackupSeams, Phase } from '../../engine/index.ts';
import { createStore, openLocalBackend, type Seams, systemSeams } from '../../store/index.ts';
import { type CaseName, tellCase } from './cases.ts';
import { failureOf, manifestsOf, smallRig, until } from './small-rig.ts';

/** A minute of patience is too long for a test, and so are timeouts meant for networks. */
const patience = { lockMs: 300, unlockMs: 300, sentinelMs: 30_000 };
const timeouts = { connectMs: 1_000, headersMs: 600, bodyMs: 600, lockMs: 600, stateMs: 600 };

type Undo = () => void | Promise<void>;

/** Something that goes wrong, and the right end of it. */
export interface Mishap {
  readonly name: CaseName;
  readonly exit: number;
  /** Absent: nothing is said on stderr. */
  readonly code?: string;
  /** Put behind the ending in the table, such as the phase. */
  readonly where?: string;
  /** Arranges it, and returns what undoes it; none where arguments or environment are all there is to it. */
  readonly arrange?: (rig: Rig) => Undo | Promise<Undo>;
  /** What is run; a backup unless told. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly seams?: Seams;
  readonly backupSeams?: BackupSeams;
  /**
   * What may be left until it is undone: a lock, with its record, or the record alone of a lock that may have been
   * taken. Then the lock must go, and the next run removes the record.
   */
  readonly left?: 'lock' | 'record';
}

/** The rig's configuration with something changed, in a file of its own: what makes the program use it. */
export function configured(rig: Rig, edit: (text: string) => string): { readonly STILLPOINT_CONFIG: string } {
  const file = join(mkdtempSync(join(rig.folder, 'configuration-')), 'stillpoint.yaml');
  const text = readFileSync(rig.configFile, 'utf8').replace('passphraseFile: ', 'passphraseFile: ../');
  writeFileSync(file, edit(text));
  return { STILLPOINT_CONFIG: file };
}

/** Something that happens when a phase begins. */
export function atPhase(phase: Phase, happens: () => unknown): BackupSeams {
  return {
    onPhase: async now => {
      if (now === phase) await happens();
    },
  };
}

/** A rig that people work on while it is backed up, with one snapshot. */
export async function rigAtWork(options: Partial<RigOptions> = {}): Promise<Rig> {
  const writer = { perSecond: 5, pushesPerSecond: 0, repackEveryMs: 0 };
  const rig = await smallRig({ repositories: 2, files: 60, rows: 300, writer, ...options });
  try {
    await makeQuickStore(rig);
    const { code, stderr } = await runOn(rig);
    assert.equal(code, 0, stderr);
    return rig;
  } catch (error) {
    await rig[Symbol.asyncDispose]();
    throw error;
  }
}

/** In place of the rig's: a passphrase that is stretched for 0.1 s at every run is a fifth of what these tests cost. */
async function makeQuickStore({ store, folder }: Rig): Promise<void> {
  rmSync(store, { recursive: true });
  const [passphrase = ''] = readFileSync(join(folder, 'passphrase'), 'utf8').split('\n');
  const kdf = { type: 'argon2id', memoryKiB: 64, passes: 1 } as const;
  const made = await createStore(await openLocalBackend(store, { create: true }), {
    passphrase,
    seams: systemSeams,
    kdf,
  });
  await made[Symbol.asyncDispose]();
}

/** Runs the program in this process, with a test's patience. */
export function runOn(
  rig: Rig,
  { args = ['backup'], env, seams, backupSeams }: Pick<Mishap, 'args' | 'env' | 'seams' | 'backupSeams'> = {},
): Promise<Ended> {
  process.env['PGPASSWORD'] = rig.env['PGPASSWORD']; // the client library looks nowhere else
  return runHere(['--json', ...args], {
    cwd: rig.folder,
    env: { ...rig.env, ...env },
    backupSeams: { patience, timeouts, ...backupSeams },
    ...(seams ? { seams } : {}),
  });
}

/**
 * Runs the program in the face of each mishap: it ends as told and says what to do, the application is unlocked, no
 * snapshot appears unless it ends with 0, no record of a lock is left. Each is undone before the next one, and
 * in the end a backup succeeds. Tells the cases.
 */
export async function assertEndings(
  context: TestContext,
  rig: Rig,
  mishaps: readonly Mishap[],
): Promise<Ended[]> {
  const ended: Ended[] = [];
  for (const mishap of mishaps) ended.push(await meet(rig, mishap));
  await backUpHere(rig);
  for (const [name, endings] of groupBy(mishaps, mishap => mishap.name))
    for (const [ending, same] of groupBy(endings, endingOf)) {
      const where = same.flatMap(mishap => mishap.where ?? []);
      tellCase(context, name, where.length === 0 ? ending : `${ending} (${where.join(', ')})`);
    }
  return ended;
}

/** As assertEndings, of one. */
export async function assertEnding(context: TestContext, rig: Rig, mishap: Mishap): Promise<Ended> {
  const [ended] = await assertEndings(context, rig, [mishap]);
  return ended as Ended;
}

function endingOf({ exit, code }: Mishap): string {
  return `exit ${exit}${code === undefined ? '' : ` ${code}`}`;
}

function groupBy<Key>(mishaps: readonly Mishap[], keyOf: (mishap: Mishap) => Key): Map<Key, Mishap[]> {
  const groups = new Map<Key, Mishap[]>();
  for (const mishap of mishaps) groups.set(keyOf(mishap), [...(groups.get(keyOf(mishap)) ?? []), mishap]);
  return groups;
}

async function meet(rig: Rig, mishap: Mishap): Promise<Ended> {
  const manifests = manifestsOf(rig);
  const undo = await mishap.arrange?.(rig);
  try {
    const ended = await runOn(rig, mishap);
    assertEnded(mishap, { rig, ended, manifests });
    return ended;
  } finally {
    await undo?.(); // also when it ended wrongly: the next test is about something else
    await until(() => !rig.instance.isLocked, 'unlocked');
  }
}

function assertEnded(
  mishap: Mishap,
  run: { readonly rig: Rig; readonly ended: Ended; readonly manifests: readonly string[] },
): void {
  const { rig, ended, manifests } = run;
  const { exit, code, left, args = ['backup'], where = '' } = mishap;
  assert.deepEqual(failureOf(ended), { exit, code }, `${where} ${ended.stderr || ended.stdout}`);
  if (code !== undefined) assertHelpful(ended, rig);
  const now = manifestsOf(rig);
  const added = now.filter(name => !manifests.includes(name));
  assert.equal(added.length, args[0] === 'backup' && exit === 0 ? 1 : 0, 'snapshots that appeared');
  assert.equal(now.length, manifests.length + added.length, 'no snapshot went');
  assert.equal(rig.instance.isLocked, left === 'lock', `${where}: whether the application is locked`);
  assert.equal(recordsOf(rig).length, left === undefined ? 0 : 1, `${where}: records of a lock`);
}

/** A backup that must succeed and add one snapshot, the one that it names. */
export async function backUpHere(rig: Rig): Promise<Record<string, unknown>> {
  const manifests = manifestsOf(rig);
  const { code, json, stderr } = await runOn(rig);
  assert.equal(code, 0, stderr);
  const summary = json.at(-1) ?? {};
  assert.deepEqual(manifestsOf(rig), [...manifests, String(summary['snapshot'])].sort());
  assert.deepEqual([rig.instance.isLocked, recordsOf(rig)], [false, []]);
  return summary;
}

/** What is on the disk while an application may be locked; a record that is being written is none yet. */
export function recordsOf({ stateDir }: Pick<Rig, 'stateDir'>): string[] {
  try {
    return readdirSync(join(stateDir, 'latches')).filter(name => name.endsWith('.json'));
  } catch {
    return []; // no run came so far
  }
}

/** The error as it is said with --json. */
export function errorOf({ stderr }: Ended): { readonly message: string; readonly remedy: string } {
  const line = stderr.split('\n').find(text => text.startsWith('{"messageType":"error"'));
  const { message, remedy } = JSON.parse(line ?? '{}') as Record<string, unknown>;
  return { message: String(message), remedy: String(remedy ?? '') };
}

/** One line that says what failed, one that says what to do; no secret in either, nor anywhere else. */
export function assertHelpful(ended: Ended, rig: Rig): void {
  const { message, remedy } = errorOf(ended);
  assert.match(message, /^(Cannot \w+|Interrupted|Terminated)\b/);
  // A statement that can be pasted ends as statements do.
  assert.match(remedy, /^[A-Z].*[.?;]$/s, `a remedy for: ${message}`);
  for (const text of [message, remedy]) assert.doesNotMatch(text, /\n|undefined|\[object/);
  const { user, password } = rig.instance.admin;
  const secrets = [password, btoa(`${user}:${password}`), rig.env['PGPASSWORD'] ?? password, 'correct horse'];
  for (const secret of secrets) assert.ok(!`${ended.stdout}${ended.stderr}`.includes(secret), 'a secret');
}
