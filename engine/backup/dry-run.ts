import type { ChunkSink, SnapshotId } from '../../store/index.ts';
import { isLockable } from '../app/index.ts';
import type { Command, CommandMoment } from '../command/index.ts';
import { connectDatabase, type DatabaseEstimate } from '../database/index.ts';
import { type HomeEstimate, openHome } from '../home/index.ts';
import { databaseBaseOf, findParent, homeBaseOf } from '../parent.ts';
import { together } from '../together.ts';
import { checkDataStores } from '../view/index.ts';
import type { BackupOptions } from './options.ts';

/** What a backup would do now. */
export interface DryRun {
  readonly parent: SnapshotId | null;
  readonly home: HomeEstimate | null;
  readonly database: DatabaseEstimate | null;
  /** Commands of the administrator that a backup would run, in order; none ran. Those for a failure are not among them. */
  readonly commands: readonly PlannedCommand[];
  readonly durationMs: number;
}

export interface PlannedCommand extends Command {
  readonly moment: CommandMoment;
}

export type DryRunOptions = Pick<
  BackupOptions,
  'store' | 'seams' | 'instance' | 'home' | 'database' | 'app' | 'hooks' | 'signal'
>;

/** Compares both halves with the snapshot that a backup would build on. Locks nothing, reads no file and writes nothing. */
export async function dryRun(options: DryRunOptions): Promise<DryRun> {
  const { store, app, instance, signal } = options;
  const { clock } = options.seams;
  const startedMs = clock.monotonicMs();
  if (isLockable(app)) await app.checkAccess({ signal });
  if (options.home?.freeze) await checkDataStores(options.home);
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
        if (!database || !options.database) return null;
        const { type } = options.database;
        await database.prepare({ base: databaseBaseOf(parent, { ...access, type }), signal: s });
        if (type === 'command') return null; // what it would dump only it knows: it is among the commands
        return database.estimate({ source: store, digestKey: store.rowDigestKey, signal: s });
      },
    ],
    { signal },
  );
  return {
    parent: parent?.id ?? null,
    home: homeEstimate,
    database: databaseEstimate,
    commands: plannedCommands(options),
    durationMs: Math.round(clock.monotonicMs() - startedMs),
  };
}

function plannedCommands({ hooks, home, database }: DryRunOptions): PlannedCommand[] {
  const { beforeLock, inWindow, afterUnlock } = hooks;
  const at = (moment: CommandMoment, commands: readonly Command[] = []) =>
    commands.map(command => ({ ...command, moment }));
  const { dump, pin, unpin } = database?.type === 'command' ? database : noCommands;
  const listOf = (command: Command | null) => (command ? [command] : []);
  return [
    ...at('before-lock', beforeLock),
    ...at('in-window', inWindow),
    ...at('freeze-take', home?.freeze?.take),
    ...(pin ? [] : at('dump', listOf(dump))),
    ...at('pin', listOf(pin)),
    ...at('after-unlock', afterUnlock),
    ...(pin ? at('dump', listOf(dump)) : []),
    ...at('unpin', listOf(unpin)),
    ...at('freeze-drop', home?.freeze?.drop),
  ];
}

const noCommands = { dump: null, pin: null, unpin: null };

const nowhere: ChunkSink = {
  put: () => Promise.reject(new TypeError('Cannot store a chunk: nothing is written in a dry run')),
};
