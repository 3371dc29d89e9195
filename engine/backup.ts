import type { BackupSession, Clock, Seams, SnapshotId, Store } from '../store/index.ts';
import type { Application } from './app/index.ts';
import {
  connectDatabase,
  type DatabaseAddress,
  type DatabaseResult,
  type DatabaseSource,
} from './database/index.ts';
import { type Home, type HomeOptions, type HomeResult, type HomeSettings, openHome } from './home/index.ts';
import { beginRun, type FenceRecord, type LatchToken, releaseLatches, withLatch } from './latch/index.ts';
import type { PairedDatabase, PairedHome } from './pair.ts';
import { encodePair } from './pair-codec.ts';
import type { OnPhase, OnProgress } from './progress.ts';
import { together } from './together.ts';

/** Changed files up to this much are kept in memory in the window and stored after the unlock. */
const captureBudgetBytes = 256 * 1024 * 1024;

/** Where a test reaches into a run: the start of each phase, and how files are told apart. */
export interface BackupSeams {
  readonly onPhase?: OnPhase;
  readonly home?: Partial<Pick<HomeOptions, 'isSame' | 'statSeam'>>;
}

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
  readonly home: (HomeSettings & BackupSeams['home']) | null;
  readonly database: DatabaseAddress | null;
  readonly app: Application;
  readonly latch: { readonly stateDir: string; readonly drainTimeoutMs: number; readonly maxHoldMs: number };
  readonly signal: AbortSignal;
  readonly onPhase: OnPhase;
  readonly onProgress: OnProgress;
  readonly onToken: (token: LatchToken) => void;
}

export interface BackupSummary {
  readonly snapshot: SnapshotId;
  readonly parent: SnapshotId | null;
  /** The instant of the pair, ms since 1970 UTC. */
  readonly timeMs: number;
  readonly durationMs: number;
  readonly fence: FenceRecord;
  readonly home: PairedHome | null;
  readonly database: PairedDatabase | null;
  readonly stored: BackupSession['written'];
  readonly warnings: readonly string[];
}

/**
 * One backup of the pair: everything is read live first, the latch holds the application only while what changed
 * meanwhile is captured and the database is pinned, and the rest is finished from the pin. Nothing is visible in the
 * store until the last step; on any failure the application is unlocked and no snapshot appears.
 */
export async function backup(options: BackupOptions): Promise<BackupSummary> {
  const { store, app, instance, signal } = options;
  const { clock } = options.seams;
  const startedMs = clock.monotonicMs();
  const enter: OnPhase = async phase => {
    signal.throwIfAborted();
    options.onProgress({ phase });
    await options.onPhase(phase);
  };

  await enter('open');
  const place = { stateDir: options.latch.stateDir, instance };
  await using _run = await beginRun(place);
  if (app.fence === 'latched') await releaseLatches({ ...place, app, clock, signal });
  await using session = await store.beginBackup({ host: options.host, signal });

  await enter('connect');
  if (app.fence === 'latched') await app.checkAccess({ signal });
  await using database = options.database && (await connectDatabase({ ...options.database, clock, signal }));
  await using home =
    options.home && (await openHome({ ...options.home, sink: session, cuts: store.cuts, clock }));

  await enter('pre-scan');
  await together(
    [s => prescan(home, { ...options, signal: s }), async s => database?.prepare({ signal: s })],
    {
      signal,
    },
  );

  const latch = { ...options.latch, app, instance, clock, signal, onPhase: enter, onToken: options.onToken };
  const { fence } = await withLatch(latch, async window => {
    window.fence(async () => database === null || (await database.holds()));
    await together(
      [
        async s => home?.capture({ signal: s, budgetBytes: captureBudgetBytes }),
        async s => database?.pin({ signal: s }),
      ],
      { signal: window.signal },
    );
  });

  await enter('finish');
  const [homeResult, databaseResult] = await together(
    [
      async s => home && (await home.finish({ signal: s })),
      async s => database && (await finishDatabase(database, { ...options, session, signal: s })),
    ],
    { signal },
  );

  await enter('commit');
  const found = {
    timeMs: Math.round(fence.capturedAtMs ?? clock.nowMs()),
    fence,
    parent: null,
    home: homeResult && pairHome(homeResult),
    database: databaseResult && pairDatabase(databaseResult),
    warnings: [...(homeResult?.notes ?? []), ...(databaseResult?.warnings ?? [])],
  };
  const durationMs = elapsedMs(clock, startedMs);
  const snapshot = await session.commit(encodePair({ ...options, ...found, durationMs }));
  return { ...found, snapshot, durationMs: elapsedMs(clock, startedMs), stored: { ...session.written } };
}

function elapsedMs(clock: Clock, startedMs: number): number {
  return Math.round(clock.monotonicMs() - startedMs);
}

async function prescan(home: Home | null, options: BackupOptions): Promise<void> {
  await home?.prescan({
    signal: options.signal,
    onProgress: progress => options.onProgress({ phase: 'pre-scan', ...progress }),
  });
}

async function finishDatabase(
  database: DatabaseSource,
  options: BackupOptions & { readonly session: BackupSession },
): Promise<DatabaseResult> {
  const { store, session, signal } = options;
  return database.finish({
    sink: session,
    source: session,
    cuts: store.cuts,
    digestKey: store.rowDigestKey,
    signal,
    onProgress: ({ rows, bytes, bytesTotal }) =>
      options.onProgress({ phase: 'finish', rows, bytes, bytesTotal }),
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
