import type { BackupSession, Clock, Seams, SnapshotId, Store } from '../store/index.ts';
import { type Application, type BitbucketAccess, isLockable, isStopped } from './app/index.ts';
import { openCache, throughCache } from './cache.ts';
import type { CommandRecord } from './command/index.ts';
import {
  connectDatabase,
  type DatabaseAddress,
  type DatabaseResult,
  type DatabaseSource,
  type FinishOptions,
} from './database/index.ts';
import { engineError } from './errors.ts';
import { type Home, type HomeOptions, type HomeResult, type HomeSettings, openHome } from './home/index.ts';
import { type CommandPlace, type CommandRuns, commandRuns, type Hooks } from './hooks.ts';
import {
  beginRun,
  checkForecast,
  type FenceRecord,
  type Forecast,
  forecast,
  type LatchToken,
  type Patience,
  type RunGuard,
  releaseLatches,
  withLatch,
} from './latch/index.ts';
import type { PairedDatabase, PairedHome, Snapshot } from './pair.ts';
import { encodePair } from './pair-codec.ts';
import { databaseBaseOf, findParent, homeBaseOf } from './parent.ts';
import type { OnPhase, OnProgress } from './progress.ts';
import { together } from './together.ts';
import { dropLeftViews, type Freeze, type LeftViews, openFrozenHome, stillLeft } from './view/index.ts';
import { whileLocked } from './while-locked.ts';

/** Changed files up to this much are kept in memory in the window and stored after the unlock. */
const captureBudgetBytes = 256 * 1024 * 1024;

/** Where a test reaches into a run: the start of each phase, and how files are told apart. */
export interface BackupSeams {
  readonly onPhase?: OnPhase;
  readonly home?: Partial<Pick<HomeOptions, 'isSame' | 'statSeam' | 'fileSystemSeam' | 'readSeam'>>;
  /** How long lock and unlock are tried; a minute is too long for a test. */
  readonly patience?: Partial<Patience>;
  /** How long one call of the application may take. */
  readonly timeouts?: BitbucketAccess['timeouts'];
}

export type HoldUntil = 'captured' | 'durable';

export interface BackupOptions {
  readonly store: Store;
  readonly seams: Seams;
  readonly instance: string;
  readonly host: string;
  readonly tags: readonly string[];
  /** The program's version, for the manifest. */
  readonly program: string;
  /** The configuration as JSON without secrets, for the manifest. */
  readonly configuration: string;
  readonly home: (HomeSettings & BackupSeams['home'] & { readonly freeze?: Freeze | undefined }) | null;
  readonly database: DatabaseAddress | null;
  readonly app: Application;
  readonly latch: {
    readonly stateDir: string;
    readonly drainTimeoutMs: number;
    readonly maxHoldMs: number;
    readonly patience?: Partial<Patience> | undefined;
  };
  readonly hooks: Hooks;
  /** Where commands of the administrator run; else where this process does. */
  readonly folder?: string | undefined;
  /** When the application is unlocked: as soon as the state is captured, or not before all of it is durable. */
  readonly holdUntil: HoldUntil;
  /** How long another run, or somebody else's lock, is waited for. */
  readonly waitMs: number;
  /** Where the cache is; absent: none is used. */
  readonly cacheDir?: string | undefined;
  readonly signal: AbortSignal;
  readonly onPhase: OnPhase;
  readonly onProgress: OnProgress;
  readonly onToken: (token: LatchToken) => void;
  /** Hears at once what the summary of a run that fails cannot tell. */
  readonly onWarning: (text: string) => void;
}

export interface BackupSummary {
  readonly snapshot: SnapshotId;
  readonly parent: SnapshotId | null;
  /** The instant of the pair, ms since 1970 UTC. */
  readonly timeMs: number;
  readonly durationMs: number;
  readonly fence: FenceRecord;
  readonly forecast: Forecast;
  readonly home: PairedHome | null;
  readonly database: PairedDatabase | null;
  readonly stored: BackupSession['written'];
  readonly warnings: readonly string[];
  readonly commands: readonly CommandRecord[];
  /** What went wrong beside the pair, which is whole: hooks after the unlock, views that are not dropped. */
  readonly failures: readonly string[];
}

/**
 * One backup of the pair: what changed since the parent is read live first, the latch holds the application only while
 * what changed meanwhile is captured and the database is pinned, and the rest is finished from the pin. Nothing is
 * visible in the store until the last step; on any failure the application is unlocked and no snapshot appears.
 */
export async function backup(options: BackupOptions): Promise<BackupSummary> {
  const { store, app, instance, signal, hooks } = options;
  const { clock } = options.seams;
  const startedMs = clock.monotonicMs();
  checkHoldUntil(options);
  const runs = commandRuns({ place: placeOf(options), clock });
  const waiting = { untilMs: startedMs + options.waitMs, clock, signal };
  let run: RunGuard | undefined;
  const enter: OnPhase = async phase => {
    signal.throwIfAborted();
    options.onProgress({ phase });
    run?.note(phase);
    await options.onPhase(phase);
  };

  await enter('open');
  const place = { stateDir: options.latch.stateDir, instance };
  await using guard = await whileLocked(waiting, () => beginRun(place));
  run = guard;
  if (isLockable(app)) await releaseLatches({ ...place, app, clock, signal });
  const earlierViews = tellViews(await dropLeftViews({ ...place, clock, signal }), options);
  await using session = await store.beginBackup({ host: options.host, signal });
  const { parent, recent } = await findParent(store, { instance });
  await using cache = await openCacheOf(options);
  const chunks = throughCache(session, cache);
  const access = { source: chunks, has: session.has };

  await enter('connect');
  if (isLockable(app)) await app.checkAccess({ signal });
  const reading = { sink: chunks, cuts: store.cuts, clock, base: homeBaseOf(parent, access) };
  await using frozen = await openFrozen(options, { reading, runs });
  await using live = frozen || !options.home ? null : await openHome({ ...options.home, ...reading });
  const home = frozen ?? live;
  await using database = options.database && (await connectDatabase({ ...options.database, clock, signal }));
  const unseen = isStopped(app) ? await app.checkStopped({ database, signal }) : [];
  const copy: CopyOptions = {
    sink: chunks,
    source: chunks,
    cuts: store.cuts,
    digestKey: store.rowDigestKey,
    cache,
  };

  await enter('pre-scan');
  const [scan, restMs] = await together(
    [
      s => prescan(home, { ...options, signal: s }),
      async s => {
        await database?.prepare({ base: databaseBaseOf(parent, access), signal: s });
        return database ? precopy(database, copy, { ...options, signal: s }) : 0;
      },
    ],
    { signal },
  );
  if (options.holdUntil === 'durable') await session.flush();
  // a view costs the same however much it shows
  const windows = recent.map(snapshot => ({
    fence: snapshot.fence,
    entries: frozen ? 1 : entriesOf(snapshot),
  }));
  const expected = forecast({ ...scan, ...(frozen ? { entries: 1 } : {}), restMs, windows });
  if (isLockable(app)) checkForecast(expected, options.latch);
  await runs.inTurn('before-lock', hooks.beforeLock, { signal });

  const finish = (phaseSignal: AbortSignal) =>
    together(
      [
        async s => home && (await home.finish({ signal: s })),
        async s => database && (await finishDatabase(database, copy, { ...options, signal: s })),
      ],
      { signal: phaseSignal },
    );
  const latch = {
    ...options.latch,
    ...{ app, database, instance, clock, signal },
    ...{
      onPhase: enter,
      onToken: options.onToken,
      onCommand: runs.note,
    },
  };
  const { fence, result } = await whileLocked(waiting, () =>
    withLatch(latch, async window => {
      window.fence(async () => database === null || (await database.holds()));
      await runs.inTurn('in-window', hooks.inWindow, { signal: window.signal });
      await together(
        [
          async s => home?.capture({ signal: s, budgetBytes: captureBudgetBytes }),
          async s => database?.pin({ signal: s }),
        ],
        { signal: window.signal },
      );
      if (options.holdUntil === 'captured') return undefined;
      const finished = await finish(window.signal);
      await session.flush();
      return finished;
    }),
  );

  const failures = (await runs.each('after-unlock', hooks.afterUnlock, { signal })).map(
    ({ message }) => message,
  );

  await enter('finish');
  const [homeResult, databaseResult] = result ?? (await finish(signal));
  failures.push(...((await frozen?.drop()) ?? []));
  failures.push(...(await stillLeft(earlierViews)));

  await enter('commit');
  const found = {
    timeMs: Math.round(fence.capturedAtMs ?? clock.nowMs()),
    fence,
    forecast: expected,
    parent: parent?.id ?? null,
    home: homeResult && pairHome(homeResult),
    database: databaseResult && pairDatabase(databaseResult),
    warnings: [...unseen, ...(homeResult?.notes ?? []), ...(databaseResult?.warnings ?? []), ...failures],
    commands: runs.records,
  };
  const durationMs = elapsedMs(clock, startedMs);
  const snapshot = await session.commit(encodePair({ ...options, ...found, durationMs }));
  guard.noteCommitted(snapshot);
  await cache?.settle();
  return {
    ...found,
    snapshot,
    warnings: [...found.warnings, ...(cache?.notes ?? [])],
    failures,
    durationMs: elapsedMs(clock, startedMs),
    stored: { ...session.written },
  };
}

/** A view is read after the unlock, so that what it shows is not durable before. USAGE. */
function checkHoldUntil({ home, holdUntil }: BackupOptions): void {
  if (holdUntil !== 'durable' || !home?.freeze) return;
  throw engineError(
    'USAGE',
    'Cannot hold the application until all is durable: with home.freeze the home is read after the unlock',
    { remedy: 'Leave --hold-until out, or take home.freeze out of the configuration.' },
  );
}

/** What the commands of a run are told of. */
function placeOf({
  instance,
  home,
  database,
  folder,
}: Pick<BackupOptions, 'instance' | 'home' | 'database' | 'folder'>): CommandPlace {
  return { instance, home: home?.root ?? null, databaseUrl: database?.url ?? null, folder };
}

async function openFrozen(
  options: BackupOptions,
  { reading, runs }: { readonly reading: Omit<HomeOptions, 'root'>; readonly runs: CommandRuns },
) {
  const { home, latch, seams, onProgress, onWarning } = options;
  if (!home?.freeze) return null;
  return openFrozenHome({
    freeze: home.freeze,
    home: { ...home, ...reading },
    runs,
    place: placeOf(options),
    stateDir: latch.stateDir,
    clock: seams.clock,
    onProgress: progress => onProgress({ phase: 'finish', ...progress }),
    onWarning,
  });
}

function tellViews({ dropped, left }: LeftViews, { onWarning }: BackupOptions): LeftViews['left'] {
  for (const mount of dropped)
    onWarning(`A run that ended early left a view of the home at ${mount}: it was dropped`);
  for (const { mount, problem } of left)
    onWarning(
      `A run that ended early left a view of the home at ${mount}, which cannot be dropped: ${problem}`,
    );
  return left;
}

async function openCacheOf({ cacheDir, store, instance }: BackupOptions) {
  if (cacheDir === undefined) return undefined;
  return openCache({ folder: cacheDir, storeId: store.id, instance, key: store.cacheKey });
}

function entriesOf({ home }: Snapshot): number {
  return home ? home.files + home.folders : 0;
}

function elapsedMs(clock: Clock, startedMs: number): number {
  return Math.round(clock.monotonicMs() - startedMs);
}

/** What the window will look at again, and how long a look takes. */
async function prescan(
  home: Pick<Home, 'prescan'> | null,
  { signal, onProgress }: BackupOptions,
): Promise<{ entries: number; walkMs: number }> {
  if (!home) return { entries: 0, walkMs: 0 };
  const { files, folders, walkMs } = await home.prescan({
    signal,
    onProgress: progress => onProgress({ phase: 'pre-scan', ...progress }),
  });
  return { entries: files + folders, walkMs };
}

type CopyOptions = Omit<FinishOptions, 'signal' | 'onProgress'>;

/**
 * Copies live what has no base, and everything where the application stays locked until all is durable. Returns how
 * long the rest will take from the pin, as far as the window will last so long: one pass over what is then nearly
 * unchanged, taken now to know.
 */
async function precopy(
  database: DatabaseSource,
  copy: CopyOptions,
  { holdUntil, signal, seams, onProgress }: BackupOptions,
): Promise<number> {
  const isDurable = holdUntil === 'durable';
  await database.precopy({
    ...copy,
    mode: isDurable ? 'all' : 'new',
    signal,
    onProgress: progress => onProgress({ phase: 'pre-scan', rows: progress.rows }),
  });
  if (!isDurable) return 0;
  const startedMs = seams.clock.monotonicMs();
  await database.estimate({ source: copy.source, signal });
  return seams.clock.monotonicMs() - startedMs;
}

async function finishDatabase(
  database: DatabaseSource,
  copy: CopyOptions,
  { signal, onProgress }: BackupOptions,
): Promise<DatabaseResult> {
  return database.finish({
    ...copy,
    signal,
    onProgress: ({ rows, bytes, bytesTotal }) => onProgress({ phase: 'finish', rows, bytes, bytesTotal }),
  });
}

function pairHome(result: HomeResult): PairedHome {
  const { files, folders, bytes, changed, changedInLatch, unreadable } = result;
  const roots = result.roots.map(({ path, listing }) => ({ path, listing }));
  return { roots, files, folders, bytes, changed, changedInLatch, unreadable };
}

function pairDatabase(result: DatabaseResult): PairedDatabase {
  return { ...result, type: 'postgresql', name: result.database, listing: result.root };
}
