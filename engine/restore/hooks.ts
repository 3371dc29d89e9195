import type { Clock } from '../../store/index.ts';
import type { Command, CommandRecord } from '../command/index.ts';
import { type DatabaseAddress, nameOfDatabase, urlOf } from '../database/index.ts';
import { engineError } from '../errors.ts';
import { commandRuns } from '../hooks.ts';
import type { Snapshot } from '../pair.ts';

export interface RestoreHooksOptions {
  readonly snapshot: Snapshot;
  readonly clock: Clock;
  /** Where the home was restored to, if it was. */
  readonly home?: string | undefined;
  /** What the database was restored into, if it was. */
  readonly database?: DatabaseAddress | undefined;
  readonly hooksFolder?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RestoreHooksRan {
  readonly records: readonly CommandRecord[];
  readonly warnings: readonly string[];
  /** Undefined: all went well. */
  readonly failure: unknown;
}

export const noHooksRan: RestoreHooksRan = { records: [], warnings: [], failure: undefined };

/**
 * Runs the hooks of whoever restores, in turn, until one fails. Those of the snapshot are never run: whoever can write to a
 * store must not run commands where it is restored. A hook that bears the name of a command of the backup is given what that
 * one printed last.
 */
export async function runRestoreHooks(
  hooks: readonly Command[],
  { snapshot, clock, home, database, hooksFolder, signal }: RestoreHooksOptions,
): Promise<RestoreHooksRan> {
  const place = {
    instance: snapshot.instance,
    home: home ?? null,
    databaseUrl: urlOf(database),
    databaseName: database && nameOfDatabase(database),
    folder: hooksFolder,
  };
  const env = {
    STILLPOINT_SNAPSHOT: snapshot.id,
    STILLPOINT_RECORDS: recordsText(snapshot.commands),
  };
  const runs = commandRuns({ place, env, clock });
  const warnings: string[] = [];
  for (const [at, hook] of hooks.entries()) {
    const output = outputOf(snapshot, hook);
    if (hook.name !== null && output === undefined)
      warnings.push(
        `Hook ${hook.name} has no twin in the snapshot: it runs without STILLPOINT_OUTPUT, as no command of that name ran for the backup`,
      );
    try {
      await runs.inTurn('restore', [hook], { signal, env: { STILLPOINT_OUTPUT: output } });
    } catch (error) {
      const failure = signal?.aborted ? error : isWhole(error as Error, snapshot); // else runCommand's
      const left = hooks.length - at - 1;
      if (left > 0) warnings.push(`${left} of hooks.restore did not run, because the one before them failed`);
      return { records: runs.records, warnings, failure };
    }
  }
  return { records: runs.records, warnings, failure: undefined };
}

/** Nobody should restore again what was restored. */
const isWhole = (error: Error, { id }: Snapshot): Error =>
  engineError('COMMAND_FAILED', error.message, {
    remedy: `What was restored is whole and checked. Run what is left of hooks.restore by hand; \`stillpoint show ${id.slice(0, 8)}\` prints what the commands of the backup said.`,
    cause: error,
  });

/** The last one of that name says how it ended: one may begin what another waits for. */
function outputOf({ commands }: Snapshot, { name }: Command): string | undefined {
  return name === null ? undefined : commands.findLast(record => record.name === name)?.output;
}

/** An environment variable holds at most 128 KiB. */
const recordsTextMax = 100_000;

function recordsText(commands: readonly CommandRecord[]): string {
  const whole = JSON.stringify(commands);
  return whole.length <= recordsTextMax
    ? whole
    : JSON.stringify(commands.map(record => ({ ...record, run: '' })));
}

/** The machine that restores may know nothing of what the machine that backed up would have run. */
export function aboutHooks(snapshot: Snapshot, hooks: readonly Command[]): string[] {
  const count = configuredHooks(snapshot);
  if (count === 0 || hooks.length > 0) return [];
  return [
    `The backup was made with ${count} hooks.restore, and none are configured here: see \`stillpoint show ${snapshot.id.slice(0, 8)} --config\`, and run what this machine needs by hand.`,
  ];
}

/** A manifest may say anything: what it says here is only counted. */
function configuredHooks({ configuration }: Snapshot): number {
  try {
    const { hooks } = JSON.parse(configuration) as { hooks?: { restore?: unknown } };
    return Array.isArray(hooks?.restore) ? hooks.restore.length : 0;
  } catch {
    return 0;
  }
}
