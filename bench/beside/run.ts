import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { contextOf } from '../../store/context.ts';
import { beginPrune, openLocalBackend, type Store, verifyStore } from '../../store/index.ts';
import { readSweep } from '../../store/protocol/generations.ts';
import { insideOf, storeWith } from '../../store/store.ts';
import { damageOf, type SmallBackup, smallBackups } from './backup-files.ts';
import type { Crew } from './crew.ts';
import { type Happenings, readHappenings } from './happenings.ts';
import { type Answer, type Part, partsOf } from './orders.ts';

export interface Outcome {
  readonly seed: number;
  /** What must not be. */
  readonly failures: readonly string[];
  readonly kills: readonly string[];
  readonly commits: number;
  readonly vetoes: number;
  readonly sweeps: number;
  readonly besideIntent: boolean;
  readonly overlapped: boolean;
  readonly codes: readonly string[];
}

export interface World {
  readonly crew: Crew;
  readonly store: Store;
  readonly before: readonly SmallBackup[];
  /** The store that every run begins with a copy of. */
  readonly template: string;
  readonly scratch: string;
}

/** What a party may answer where others count as dead at once. */
const expectedCodes = new Set(['STORE_LOCKED', 'SNAPSHOT_UNKNOWN', 'STORE_OBJECT_MISSING']);

/** One run of three writers, two pruners and perhaps a reader on one folder, and what is left of it. */
export async function runOnce(world: World, seed: number): Promise<Outcome> {
  const { crew, store, template, scratch } = world;
  const place = join(scratch, `run-${seed}`);
  const folder = join(place, 'store');
  mkdirSync(place);
  cpSync(template, folder, { recursive: true });
  const parts = partsOf(seed);
  const logs = parts.map((_, i) => join(place, `log-${i}`));
  const answers = await crew.run(parts.map((part, i) => ({ seed, folder, log: logs[i]!, part })));
  const happenings = readHappenings(logs.map(log => (existsSync(log) ? readFileSync(log, 'utf8') : '')));
  const { context, keys } = insideOf(store);
  const own = storeWith(contextOf({ ...context, backend: await openLocalBackend(folder) }), keys);
  const failures = answers.flatMap(answer =>
    answer?.code === undefined || expectedCodes.has(answer.code) ? [] : [answer.error ?? answer.code],
  );
  failures.push(
    ...(await judge(world, own, { parts, answers })).map(what => `before the last prune: ${what}`),
  );
  // What is listed nowhere can be read all the same, and the last prune lists it: only here it shows.
  if (seed % 4 === 0) failures.push(...(await verify(own, { readData: 0 })));
  failures.push(...(await pruneOnce(own)));
  failures.push(
    ...(await judge(world, own, { parts, answers })).map(what => `after the last prune: ${what}`),
  );
  if (seed % 16 === 0) failures.push(...(await verify(own, { readData: 1 })));
  const counted = await count(own, happenings);
  rmSync(place, { recursive: true });
  return {
    seed,
    failures: failures.map(what => `seed ${seed}: ${what}`),
    kills: happenings.kills,
    vetoes: happenings.vetoes,
    commits: commitsOf(answers),
    codes: answers.flatMap(answer => answer?.code ?? []),
    ...counted,
  };
}

/** Everything that is committed restores; nothing that was there is gone; who failed left no snapshot. */
async function judge(
  { before }: World,
  store: Store,
  { parts, answers }: { readonly parts: readonly Part[]; readonly answers: readonly (Answer | undefined)[] },
): Promise<string[]> {
  const wrong: string[] = [];
  const listed = await smallBackups(store);
  const forgotten = parts.flatMap(({ role, snapshot }) =>
    role === 'pruner' && snapshot !== undefined ? [snapshot] : [],
  );
  for (const backup of listed) {
    const damage = await damageOf(store, backup);
    if (damage !== undefined) wrong.push(`snapshot ${backup.id} is lost: ${damage}`);
  }
  for (const [i, { id }] of before.entries())
    if (!forgotten.includes(i) && !listed.some(backup => backup.id === id))
      wrong.push(`snapshot ${id} is lost: not listed`);
  const isNew = ({ id }: SmallBackup) => !before.some(old => old.id === id);
  const committed = commitsOf(answers);
  // Who was killed may have committed, and cannot say.
  const killed = parts.reduce(
    (sum, { role, moreFiles }, i) =>
      answers[i] === undefined && role === 'writer' ? sum + (moreFiles === undefined ? 1 : 2) : sum,
    0,
  );
  const found = listed.filter(isNew).length;
  if (found < committed || found > committed + killed)
    wrong.push(
      `${committed} backups committed and ${killed} may have, and ${found} snapshots are there: lost or too many`,
    );
  return wrong;
}

async function verify(store: Store, options: { readonly readData: number }): Promise<string[]> {
  const { damage } = await verifyStore(store, options);
  return damage.map(found => JSON.stringify(found));
}

function commitsOf(answers: readonly (Answer | undefined)[]): number {
  return answers.reduce((sum, answer) => sum + (answer?.commits ?? 0), 0);
}

async function pruneOnce(store: Store): Promise<string[]> {
  try {
    await using session = await beginPrune(store, { host: 'last', silenceMs: 0 });
    await session.reclaim({ mayBeEmpty: true });
    return [];
  } catch (error) {
    return [`the last prune: ${String(error)}`];
  }
}

async function count(
  store: Store,
  { besideIntent, overlapped }: Happenings,
): Promise<Pick<Outcome, 'sweeps' | 'besideIntent' | 'overlapped'>> {
  const { context } = insideOf(store);
  let sweeps = 0;
  const taking = new Set<number>();
  for (let number = 1; ; number++) {
    const sweep = await readSweep(context, number).catch(() => undefined);
    if (sweep === undefined) break;
    if (sweep.packs.length === 0) continue;
    sweeps += 1;
    taking.add(number);
  }
  const takes = (number: number) => taking.has(number);
  return { sweeps, besideIntent: besideIntent.some(takes), overlapped: overlapped.some(takes) };
}
