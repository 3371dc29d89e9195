import type { ChunkSink, SnapshotId } from '../store/index.ts';
import { isLockable } from './app/index.ts';
import type { BackupOptions } from './backup.ts';
import { connectDatabase, type DatabaseEstimate } from './database/index.ts';
import { type HomeEstimate, openHome } from './home/index.ts';
import { databaseBaseOf, findParent, homeBaseOf } from './parent.ts';
import { together } from './together.ts';

/** What a backup would do now. */
export interface DryRun {
  readonly parent: SnapshotId | null;
  readonly home: HomeEstimate | null;
  readonly database: DatabaseEstimate | null;
  readonly durationMs: number;
}

export type DryRunOptions = Pick<
  BackupOptions,
  'store' | 'seams' | 'instance' | 'home' | 'database' | 'app' | 'signal'
>;

/** Compares both halves with the snapshot that a backup would build on. Locks nothing, reads no file and writes nothing. */
export async function dryRun(options: DryRunOptions): Promise<DryRun> {
  const { store, app, instance, signal } = options;
  const { clock } = options.seams;
  const startedMs = clock.monotonicMs();
  if (isLockable(app)) await app.checkAccess({ signal });
  const { parent } = await findParent(store, { instance });
  // Whether chunks are lost is for a session to know: it counts then as changed.
  const access = { source: store, has: () => true };
  await using database = options.database && (await connectDatabase({ ...options.database, clock, signal }));
  await using home =
    options.home &&
    (await openHome({
      ...options.home,
      sink: nowhere,
      cuts: store.cuts,
      clock,
      base: homeBaseOf(parent, access),
    }));
  const [homeEstimate, databaseEstimate] = await together(
    [
      async s => home && (await home.estimate({ signal: s })),
      async s => {
        if (!database) return null;
        await database.prepare({ base: databaseBaseOf(parent, access), signal: s });
        return database.estimate({ source: store, signal: s });
      },
    ],
    { signal },
  );
  return {
    parent: parent?.id ?? null,
    home: homeEstimate,
    database: databaseEstimate,
    durationMs: Math.round(clock.monotonicMs() - startedMs),
  };
}

const nowhere: ChunkSink = {
  put: () => Promise.reject(new TypeError('Cannot store a chunk: nothing is written in a dry run')),
};
