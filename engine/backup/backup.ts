import type { Clock } from '../../store/index.ts';
import { doubtsAbout, isLockable, isStopped } from '../app/index.ts';
import { openCache, rememberedIn, throughCache } from '../cache.ts';
import { missedLast, rememberLast } from '../committed-here.ts';
import { connectDatabase, type DatabaseResult, urlOf } from '../database/index.ts';
import { openHome } from '../home/index.ts';
import { commandRuns } from '../hooks.ts';
import {
  beginRun,
  checkForecast,
  forecast,
  type RunGuard,
  releaseLatches,
  withLatch,
} from '../latch/index.ts';
import { rememberSnapshot } from '../own-snapshots.ts';
import { encodePair } from '../pair-codec.ts';
import { databaseBaseOf, findParent, homeBaseOf, missedOf, parentFor } from '../parent.ts';
import type { OnPhase } from '../progress.ts';
import { together } from '../together.ts';
import { dropLeftViews, stillLeft } from '../view/index.ts';
import { whileLocked } from '../while-locked.ts';
import { auditWarnings, backupsSinceAudit, isAuditDue } from './audit.ts';
import {
  type CopyOptions,
  entriesOf,
  finishDatabase,
  internalFiles,
  pairDatabase,
  pairHome,
  precopy,
  prescan,
} from './halves.ts';
import type { BackupOptions, BackupSummary } from './options.ts';
import { checkHoldUntil, openFrozen, placeOf, tellViews } from './views.ts';

/** Changed files up to this much are kept in memory in the window and stored after the unlock. */
const captureBudgetBytes = 256 * 1024 * 1024;

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
  await using cache = await openCacheOf(options);
  const { parent, recent } = await parentFor(session, () => findParent(store, { instance, cache }));
  const chunks = throughCache(session, cache);
  const remembered = cache && rememberedIn(cache);
  const access = { source: chunks, has: session.has, remembered };
  const last = { stateDir: place.stateDir, store, instance };
  const missed = [
    ...(await missedLast(last, { parent: parent?.id, signal })),
    ...missedOf(parent, session.has),
  ];
  for (const text of missed) options.onWarning(text); // before anything is put

  await enter('connect');
  if (isLockable(app)) await app.checkAccess({ signal });
  const reading = { sink: chunks, cuts: store.cuts, clock, base: homeBaseOf(parent, access), remembered };
  await using frozen = await openFrozen(options, { reading, runs });
  await using live = frozen || !options.home ? null : await openHome({ ...options.home, ...reading });
  const home = frozen ?? live;
  await using database =
    options.database && (await connectDatabase({ ...options.database, clock, signal, onCommand: runs.note }));
  const unseen = isStopped(app) ? await app.checkStopped({ database, signal }) : [];
  const copy: CopyOptions = {
    sink: chunks,
    source: chunks,
    cuts: store.cuts,
    digestKey: store.rowDigestKey,
    cache,
    audits: isAuditDue(parent, options),
  };

  await enter('pre-scan');
  const [scan, restMs] = await together(
    [
      s => prescan(home, { ...options, signal: s }),
      async s => {
        if (!database || !options.database) return 0;
        const { type } = options.database;
        await database.prepare({ base: databaseBaseOf(parent, { ...access, type }), signal: s });
        return precopy(database, copy, { ...options, signal: s });
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
  session.pauseParity();
  const { fence, result } = await whileLocked(waiting, () =>
    withLatch(latch, async window => {
      window.fence(async () => database === null || (await database.holds()));
      await runs.inTurn('in-window', hooks.inWindow, { signal: window.signal });
      await together(
        [
          async s => home?.capture({ signal: s, budgetBytes: captureBudgetBytes }),
          async s => database?.pin({ ...copy, signal: s }),
        ],
        { signal: window.signal },
      );
      if (options.holdUntil === 'captured') return undefined;
      const finished = await finish(window.signal);
      await session.flush();
      return finished;
    }),
  );

  session.resumeParity();
  const failures = (await runs.each('after-unlock', hooks.afterUnlock, { signal })).map(
    ({ message }) => message,
  );

  await enter('finish');
  const [homeResult, databaseResult] = result ?? (await finish(signal));
  failures.push(...((await frozen?.drop()) ?? []));
  failures.push(...(await stillLeft(earlierViews)));

  await enter('commit');
  const internal = internalFiles(options, homeResult);
  const found = {
    timeMs: Math.round(fence.capturedAtMs ?? clock.nowMs()),
    fence,
    forecast: expected,
    parent: parent?.id ?? null,
    home: homeResult && pairHome(homeResult),
    database: databaseResult && {
      ...pairDatabase(databaseResult),
      backupsSinceAudit: backupsSinceAudit(parent, databaseResult),
    },
    ...(internal && { internal }),
    warnings: [
      ...unseen,
      ...doubts(options, databaseResult),
      ...(homeResult?.notes ?? []),
      ...(databaseResult?.warnings ?? []),
      ...auditWarnings(databaseResult?.audit ?? null, parent),
      ...failures,
    ],
    commands: runs.records,
  };
  const durationMs = elapsedMs(clock, startedMs);
  const manifest = encodePair({ ...options, ...found, durationMs });
  const snapshot = await session.commit({ ...manifest, nodes: chunks });
  guard.noteCommitted(snapshot);
  await rememberLast(last, { snapshot, parent: parent?.id });
  if (cache && store.host !== undefined) await rememberSnapshot(cache, { id: snapshot, ...manifest });
  await cache?.settle();
  return {
    ...found,
    snapshot,
    warnings: [...found.warnings, ...(cache?.notes ?? [])],
    failures,
    audit: databaseResult?.audit ?? null,
    durationMs: elapsedMs(clock, startedMs),
    stored: { ...session.written },
  };
}

/** Whether what was backed up is what was meant: nothing else would tell of a wrong path. */
function doubts({ app, home, database }: BackupOptions, copied: DatabaseResult | null): string[] {
  const places = { home: home?.root ?? null, databaseUrl: urlOf(database) };
  return [
    ...(app.type === 'bitbucket' ? doubtsAbout(places) : []),
    ...(copied?.type === 'postgresql' && copied.tables === 0
      ? [`Database ${copied.database} holds no tables: check its name`]
      : []),
  ];
}

async function openCacheOf({ cacheDir, store, instance }: BackupOptions) {
  if (cacheDir === undefined) return undefined;
  return openCache({ folder: cacheDir, storeId: store.id, instance, key: store.cacheKey });
}

function elapsedMs(clock: Clock, startedMs: number): number {
  return Math.round(clock.monotonicMs() - startedMs);
}
