import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Ended, type Rig, runHere } from '../../bench/rig/index.ts';
import type { BackupSeams } from '../../engine/index.ts';
import { type CaseName, tellCase } from './cases.ts';
import { assertHelpful, errorOf } from './endings.ts';
import { failureOf, manifestsOf } from './small-rig.ts';

/** Lock and unlock are given up after moments: here they only fail when they should. */
const patience = { lockMs: 5_000, unlockMs: 5_000, sentinelMs: 2_000 };

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly seams?: BackupSeams;
  readonly args?: readonly string[];
}

/** A backup in this process. */
export function backUpHere(rig: Rig, { env, seams, args = [] }: RunOptions = {}): Promise<Ended> {
  return runHere(['backup', '--json', ...args], {
    cwd: rig.folder,
    env: { ...rig.env, ...env },
    backupSeams: { patience, ...seams },
  });
}

/** Any other command in this process. */
export function askHere(
  rig: Rig,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return runHere([...args, '--json'], { cwd: rig.folder, env: { ...rig.env, ...env } });
}

/** The environment of a run whose configuration differs in some lines: each begins with `home`, `database` and the like. */
export function configured(rig: Rig, lines: Readonly<Record<string, string>>): Record<string, string> {
  const kept = readFileSync(rig.configFile, 'utf8')
    .split('\n')
    .filter(line => !Object.keys(lines).some(key => line.startsWith(`${key}:`)));
  const changed = Object.entries(lines).map(([key, value]) => `${key}: ${value}`);
  const file = join(rig.folder, `configuration-${readdirSync(rig.folder).length}.yaml`);
  writeFileSync(file, [...kept, ...changed, ''].join('\n'));
  return { STILLPOINT_CONFIG: file };
}

/** The same for a database address. */
export function withDatabase(rig: Rig, url: string): Record<string, string> {
  return configured(rig, { database: `{ url: ${JSON.stringify(url)} }` });
}

/** It failed as it should: exit and code, application unlocked, no snapshot, nothing left to release. */
export function assertFailed(
  ended: Ended,
  { rig, exit = 1, code, manifests }: { rig: Rig; exit?: number; code: string; manifests: readonly string[] },
): void {
  assert.deepEqual(failureOf(ended), { exit, code }, ended.stderr);
  assertHelpful(ended, rig);
  assertUnlocked(rig);
  assert.deepEqual(manifestsOf(rig), manifests);
}

export function assertUnlocked(rig: Rig): void {
  assert.equal(rig.instance.isLocked, false);
  for (const kind of ['latches', 'runs']) {
    const folder = join(rig.stateDir, kind);
    assert.deepEqual(
      readdirSync(folder).filter(name => !name.startsWith('.tmp-')),
      [],
    );
  }
}

/** It ended with a snapshot, which is the summary's. */
export function assertSaved(
  ended: Ended,
  { rig, exit = 0 }: { rig: Rig; exit?: number },
): Record<string, unknown> {
  assert.equal(ended.code, exit, ended.stderr || ended.stdout);
  assertUnlocked(rig);
  const summary = ended.json.at(-1) ?? {};
  assert.ok(manifestsOf(rig).includes(String(summary['snapshot'])));
  return summary;
}

/** `exit 1 DATABASE_FAILED; …` for the table, and what was said, for whoever reads the log. */
export function tell(
  context: TestContext,
  { name, ended, more = '' }: { name: CaseName; ended: Ended; more?: string },
): void {
  const { code } = failureOf(ended);
  tellCase(
    context,
    name,
    [`exit ${ended.code}${code ? ` ${String(code)}` : ''}`, more].filter(Boolean).join('; '),
  );
  if (!code) return;
  const { message, remedy } = errorOf(ended);
  context.diagnostic(`${message} | ${remedy}`);
}

const nobody = 65_534;
const isRoot = process.getuid?.() === 0;

/** Why nothing can be made that this user may not read. */
export const noOtherUser: string | false = isRoot ? false : 'only root can become another user';

/** Runs something as a user who owns the rig, but not what is excepted. */
export async function asNobody<T>(
  rig: Rig,
  {
    except,
    prepare,
    run,
  }: { readonly except: string; readonly prepare?: () => void; readonly run: () => Promise<T> },
): Promise<T> {
  execFileSync('chown', ['-R', `${nobody}:${nobody}`, rig.folder]);
  execFileSync('chown', ['-R', '0:0', except]);
  prepare?.();
  process.setegid!(nobody);
  process.seteuid!(nobody);
  try {
    return await run();
  } finally {
    process.seteuid!(0);
    process.setegid!(0);
  }
}
