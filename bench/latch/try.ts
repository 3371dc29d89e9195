import type { LatchRecord } from '../instance/index.ts';
import { isAlive, type Running, sentinelOf } from '../rig/index.ts';
import type { Happening } from './happenings.ts';
import { type Lane, maxHoldMs } from './lane.ts';
import { keepAt, type Place } from './places.ts';

/** What came of one happening at one place. */
export interface Outcome {
  /** How long the application stayed locked after it, by its own clock; null where it never was. */
  readonly lockedMs: number | null;
  /** What the program ended with: an exit code, or the signal. */
  readonly exit: string;
  readonly code: string | null;
  /** Still locked when everybody has ended. */
  readonly isLeft: boolean;
  /** What was not as promised; none when all was. */
  readonly wrong: readonly string[];
}

const restMs = 120_000;

/** Undefined where the happening needs a sentinel and there is none yet. */
export async function tryOnce(
  lane: Lane,
  { place, happening }: { readonly place: Place; readonly happening: Happening },
): Promise<Outcome | undefined> {
  const before = { manifests: lane.manifests(), latches: (await lane.standIn.seen()).latches.length };
  const kept = await keepAt(lane, place, happening.spoil);
  const { program } = kept;
  const sentinel = sentinelOf(program.pid);
  if (happening.needsSentinel && sentinel === undefined) {
    program.kill('SIGKILL');
    await kept.letGo();
    await program.ended;
    await lane.standIn.clear();
    return undefined;
  }
  const atMs = lane.standIn.nowMs();
  const end = await happening.begin({ lane, kept, sentinel });
  await kept.letGo();
  await end();
  const { exit, code } = await endOf(program);
  const found = () => [sentinelOf(program.pid), sentinel].filter(pid => pid !== undefined);
  await until(() => found().every(pid => !isAlive(pid)), 'the sentinel ends');
  await lane.standIn.clear();
  const latches = (await lane.standIn.seen()).latches.slice(before.latches);
  const isLeft = latches.at(-1)?.end === null;
  const lockedMs = latches.length === 0 ? null : Math.max(...latches.map(latch => lockedAfter(latch, atMs)));
  const wrong = judge(lane, { latches, isLeft, lockedMs, exit, code, happening, before: before.manifests });
  if (isLeft) await makeGood(lane);
  return { lockedMs: isLeft ? null : lockedMs, exit, code, isLeft, wrong };
}

function lockedAfter({ locked, unlocked, end }: LatchRecord, atMs: number): number {
  if (end === 'restarted') return 0;
  return Math.max(
    0,
    (unlocked?.monotonicMs ?? Number.POSITIVE_INFINITY) - Math.max(locked.monotonicMs, atMs),
  );
}

function judge(
  lane: Lane,
  found: Omit<Outcome, 'wrong'> & {
    readonly latches: readonly LatchRecord[];
    readonly happening: Happening;
    readonly before: readonly string[];
  },
): string[] {
  const { isLeft, lockedMs, exit, code, happening } = found;
  const wrong: string[] = [];
  const records = lane.records();
  const isMore = lane.manifests().length > found.before.length;
  if (isLeft && code !== 'APP_STILL_LOCKED') wrong.push('left locked, and not told');
  if (isLeft && records.length === 0) wrong.push('left locked, and no record is kept');
  if (isLeft && records.some(token => token !== null)) wrong.push('left locked, though the token is known');
  if (!isLeft && (lockedMs ?? 0) > happening.boundMs) wrong.push('locked past the bound');
  if (!isLeft && records.length > 0 && code !== 'APP_STILL_LOCKED' && exit !== 'SIGKILL')
    wrong.push('a record is left');
  if (!isLeft && records.length > 0 && exit === 'SIGKILL' && found.latches.length > 0)
    wrong.push('a record is left');
  if (code === 'APP_STILL_LOCKED' && exit !== '21') wrong.push(`APP_STILL_LOCKED ended with ${exit}`);
  if ((exit === '0') !== isMore)
    wrong.push(isMore ? 'a snapshot of a run that failed' : 'no snapshot of a run that ended well');
  if (exit === '0' && happening.name === 'SIGSTOP of the program' && (lockedMs ?? 0) > maxHoldMs / 2)
    wrong.push('kept a pair whose lock the sentinel ended');
  return wrong;
}

/** What an administrator does: the application is restarted, and `unlock` forgets what is not there any more. */
async function makeGood(lane: Lane): Promise<void> {
  await lane.standIn.restart(0);
  const { code, stderr } = await lane.run(['unlock']);
  if (code !== 0 || lane.records().length > 0) throw new Error(`unlock ended with ${code}: ${stderr}`);
}

async function endOf(program: Running): Promise<Pick<Outcome, 'exit' | 'code'>> {
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error('the program does not end')), 2 * restMs).unref();
  });
  const { code, stderr } = await Promise.race([program.ended, late]);
  const line = stderr.split('\n').find(text => text.startsWith('{"messageType":"error"'));
  return {
    exit: code === null ? 'SIGKILL' : String(code),
    code: line === undefined ? null : (JSON.parse(line) as { code: string }).code,
  };
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + restMs;
  while (!isSo()) {
    if (performance.now() > endMs) throw new Error(`not in ${restMs} ms: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}
