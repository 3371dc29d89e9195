import { urlOf } from '../database/index.ts';
import { engineError } from '../errors.ts';
import type { HomeOptions } from '../home/index.ts';
import type { CommandPlace, CommandRuns } from '../hooks.ts';
import { type LeftViews, openFrozenHome } from '../view/index.ts';
import type { BackupOptions } from './options.ts';

/** A view is read after the unlock, so that what it shows is not durable before. USAGE. */
export function checkHoldUntil({ home, holdUntil }: BackupOptions): void {
  if (holdUntil !== 'durable' || !home?.freeze) return;
  throw engineError(
    'USAGE',
    'Cannot hold the application until all is durable: with home.freeze the home is read after the unlock',
    { remedy: 'Leave --hold-until out, or take home.freeze out of the configuration.' },
  );
}

/** What the commands of a run are told of. */
export function placeOf({
  instance,
  home,
  database,
  folder,
}: Pick<BackupOptions, 'instance' | 'home' | 'database' | 'folder'>): CommandPlace {
  return { instance, home: home?.root ?? null, databaseUrl: urlOf(database), folder };
}

export async function openFrozen(
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

export function tellViews({ dropped, left }: LeftViews, { onWarning }: BackupOptions): LeftViews['left'] {
  for (const mount of dropped)
    onWarning(`A run that ended early left a view of the home at ${mount}: it was dropped`);
  for (const { mount, problem } of left)
    onWarning(
      `A run that ended early left a view of the home at ${mount}, which cannot be dropped: ${problem}`,
    );
  return left;
}
