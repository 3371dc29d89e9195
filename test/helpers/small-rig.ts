import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Instance, PairCheck } from '../../bench/instance/index.ts';
import {
  type Ended,
  type RestoreTarget,
  type Rig,
  type RigOptions,
  type Running,
  startRig,
} from '../../bench/rig/index.ts';
import type { Phase } from '../../engine/index.ts';
import { cheapKdf } from './stores.ts';

/** Begins a backup that stops at the start of a phase and waits there; resolves when it does. */
export async function backUpAndStopAt(
  rig: Rig,
  phase: Phase,
  { env = {}, args = [] }: { readonly env?: Record<string, string>; readonly args?: readonly string[] } = {},
): Promise<Running> {
  const program = rig.start(['backup', '--json', ...args], {
    program: 'stopping',
    env: { STOP_AT: phase, ...env },
  });
  await program.hasSaid(`stopped at ${phase}`);
  return program;
}

/** A backup that sends itself a signal at the start of a phase. */
export function backUpAndRaise(rig: Rig, signal: NodeJS.Signals, phase: Phase): Promise<Ended> {
  const env = { RAISE_AT: `${signal} ${phase}` };
  return rig.program(['backup', '--json'], { program: 'stopping', env });
}

/** A rig that is small enough to be backed up in about a second. */
export function smallRig(options: Partial<RigOptions> = {}): Promise<Rig> {
  return startRig({
    server: 'embedded',
    repositories: 3,
    commitsPerRepository: 4,
    files: 200,
    rows: 600,
    kdf: cheapKdf,
    ...options,
  });
}

/** What `--json` says on stderr about a failure, with the exit code. */
export function failureOf({ code, stderr }: Ended): { exit: number | null; code: unknown } {
  const line = stderr.split('\n').find(text => text.startsWith('{"messageType":"error"'));
  return { exit: code, code: line && (JSON.parse(line) as { code: unknown }).code };
}

/** Restores both halves into a place of their own. */
export async function restoreInto(rig: Rig, name: string, snapshot = 'latest'): Promise<RestoreTarget> {
  const target = rig.target(name);
  await rig.summary([...restoreArguments(target, snapshot), '--json']);
  return target;
}

export function restoreArguments(target: RestoreTarget, snapshot = 'latest'): string[] {
  return ['restore', snapshot, '--home', target.home, '--database', target.databaseArgument];
}

/** What the writers were told, with the latch of one backup: the n-th from the first, or from the end. */
export function toldBy(instance: Instance, latchNumber: number): NonNullable<PairCheck['told']> {
  const latch = instance.latches.at(latchNumber);
  if (!latch?.drained || !latch.unlocked) throw new Error(`latch ${latchNumber} was not whole`);
  const { drained, unlocked } = latch;
  return {
    acknowledged: instance.acknowledged,
    drainedMs: drained.monotonicMs,
    unlockedMs: unlocked.monotonicMs,
  };
}

/** The manifests that lie in the store's folder, in order of name. */
export function manifestsOf(rig: Rig): string[] {
  return readdirSync(join(rig.store, 'manifests')).sort();
}

/** Ids that `snapshots --json` lists. */
export async function snapshotIds(rig: Rig): Promise<string[]> {
  const { snapshots } = await rig.summary(['snapshots', '--json']);
  return (snapshots as { id: string }[]).map(({ id }) => id);
}

/** Backs up; fails unless the store then holds one snapshot more than `before`, the new one. */
export async function backUpOnce(rig: Rig, before: readonly string[]): Promise<void> {
  const { snapshot } = await rig.summary(['backup', '--json']);
  assert.deepEqual(manifestsOf(rig), [...before, String(snapshot)].sort());
}

/** Waits until it is so, looking every few milliseconds; fails when it is not so in time. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 20_000,
): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`not in ${timeoutMs} ms: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 3));
  }
}
