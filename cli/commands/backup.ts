import { hostname } from 'node:os';
import {
  type BackupSummary,
  backup as backUpPair,
  type DryRun,
  dryRun,
  engineError,
  type HoldUntil,
  type LatchToken,
  printableText,
} from '../../engine/index.ts';
import { oldHostKey, type Store } from '../../store/index.ts';
import { parseDuration } from '../config/units.ts';
import type { Command, Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { withFailureHooks } from '../failure-hooks.ts';
import { openConfiguredStore, storePlace } from '../open-store.ts';
import { describeCommands, describeFence, describeHalves, titleOf } from '../render/pair.ts';
import { count, counted, duration, localTime, size } from '../render/quantities.ts';
import { backupSettings } from '../settings/backup.ts';
import { cacheDir, stateDir } from '../settings/folders.ts';
import { refuseStoreInHome } from '../settings/places.ts';
import { warnOfProblems } from '../snapshot-named.ts';
import { tellWitness } from '../witness.ts';

interface BackupOptions {
  readonly tag: readonly string[];
  readonly dryRun?: boolean;
  readonly wait?: string;
  readonly holdUntil: HoldUntil;
  readonly audit?: boolean;
}

/** Takes one paired snapshot, or says what it would do. */
export const backup: Command<BackupOptions> = async (context, options) => {
  const waitMs = options.wait === undefined ? 0 : waitOf(options.wait);
  if (options.audit) checkAudit(options);
  // As from a variable that was not set.
  if (options.tag.includes(''))
    throw engineError('USAGE', 'Cannot back up: --tag is empty', {
      remedy: 'Give a tag, or leave --tag out.',
    });
  if (options.dryRun) return tryOut(context);
  return withFailureHooks(context, () => backUp(context, { ...options, waitMs }));
};

/** Says what a backup would do. Runs no command of the administrator. */
async function tryOut(context: Context): Promise<number> {
  const settings = backupSettings(context);
  refuseStoreInHome(settings.home, storePlace(context));
  await using store = await openConfiguredStore(context);
  await using _connections = { [Symbol.asyncDispose]: () => settings.app.close() };
  const { seams, signal, backupSeams } = context;
  const home = settings.home && { ...settings.home, ...backupSeams?.home };
  const found = await dryRun({ ...settings, home, store, seams, signal });
  const told = { instance: settings.instance, isParentKnown: store.host === undefined };
  context.output.result(estimateToJson(found, told), estimateToText(found, told));
  return exitCodes.done;
}

async function backUp(
  context: Context,
  options: BackupOptions & { readonly waitMs: number },
): Promise<number> {
  const settings = backupSettings(context);
  if (options.audit && settings.database?.type !== 'postgresql')
    throw engineError('USAGE', 'Cannot audit: there is no database whose rows could be read again', {
      remedy:
        settings.database?.type === 'mysql'
          ? 'Leave --audit out: of MariaDB every backup compares all rows with the store, by hashes that the server computes.'
          : 'Leave --audit out: databases of type postgresql have it.',
    });
  refuseStoreInHome(settings.home, storePlace(context));
  await using store = await openConfiguredStore(context);
  const { app } = settings;
  await using _connections = { [Symbol.asyncDispose]: () => app.close() };
  const { seams, signal } = context;
  await warnOfOldKey(context, store);
  const home = settings.home && { ...settings.home, ...context.backupSeams?.home };
  const database = settings.database && { ...settings.database, ...context.backupSeams?.database };
  const summary = await backUpPair({
    ...settings,
    home,
    database,
    store,
    seams,
    host: hostname(),
    tags: options.tag,
    program: context.version,
    latch: {
      ...settings.latch,
      stateDir: stateDir(context.env),
      patience: context.backupSeams?.patience,
    },
    holdUntil: options.holdUntil,
    audit: { isAsked: options.audit === true, every: settings.auditEvery },
    waitMs: options.waitMs,
    cacheDir: cacheDir(context.env),
    signal,
    onPhase: async phase => {
      context.output.status({ phase });
      await context.backupSeams?.onPhase?.(phase);
    },
    onProgress: context.progress.onProgress,
    onToken: token => tellToken(context, token),
    onWarning: context.output.warning,
  });
  const unreadable = summary.home?.unreadable ?? [];
  for (const name of unreadable) context.output.warning(`Cannot read ${name}: it is not in the snapshot`);
  warnOfProblems(context, store);
  await tellWitness(context, store);
  const isWhole = unreadable.length + summary.failures.length === 0;
  const isAsStored = !summary.audit?.differences.length;
  const notes = [...summary.warnings, ...(summary.timeMs === 0 ? [clockWarning] : [])];
  // What is worth a word beside a success is part of the result: only what went wrong is to wake somebody.
  const isTold = context.output.json || !isWhole || !isAsStored;
  if (isTold) for (const note of notes) context.output.warning(note);
  const text = [
    toText(summary, settings.instance),
    ...(isTold ? [] : notes.map(note => `note       ${note}`)),
  ];
  context.output.result(toJson(summary, settings.instance), text.join('\n'));
  if (!isAsStored) return exitCodes.damaged;
  return isWhole ? exitCodes.done : exitCodes.incomplete;
}

/** An audit reads every row after the unlock, of which neither of these has any. */
function checkAudit({ dryRun, holdUntil }: BackupOptions): void {
  const other = dryRun ? '--dry-run' : holdUntil === 'durable' ? '--hold-until durable' : undefined;
  if (other === undefined) return;
  throw engineError('USAGE', `Cannot audit with ${other}: all rows are read again after the unlock`, {
    remedy: 'Run backup --audit by itself.',
  });
}

/** The backup goes on: one that a former holder of keys can read is better than none. */
async function warnOfOldKey({ signal, output }: Context, store: Store): Promise<void> {
  const old = await oldHostKey(store, { signal });
  if (old !== undefined) output.warning(`${old.found}. ${old.remedy}`);
}

const clockWarning =
  'The clock of this machine stands before 1970: the snapshot is good, its time is not. Set the clock.';

function waitOf(text: string): number {
  const waitMs = parseDuration(text);
  if (waitMs !== undefined) return waitMs;
  throw engineError('USAGE', `Cannot wait for "${text}": it is no duration`, {
    remedy: 'Write it as 90s, 10m or 2h.',
  });
}

/** The tokens are printed on purpose: with them an administrator can end the maintenance by hand. */
function tellToken(context: Context, { kind, token, command, page }: LatchToken): void {
  const use = kind === 'unlock' ? 'To unlock by hand' : `To cancel from ${page}, or by hand`;
  context.output.important({ latch: kind, token, command, page }, `${use}: ${command}`);
}

/** To the µs. */
const rounded = (ms: number) => Math.round(ms * 1000) / 1000;

function toJson(summary: BackupSummary, instance: string): Record<string, unknown> {
  const { fence, home, database } = summary;
  return {
    messageType: 'summary',
    snapshot: summary.snapshot,
    parent: summary.parent,
    instance,
    durationMs: summary.durationMs,
    fence: fence.kind,
    latch: {
      heldMs: rounded(fence.heldMs),
      lockMs: rounded(fence.lockMs),
      drainMs: rounded(fence.drainMs),
      captureMs: rounded(fence.captureMs),
      unlockMs: rounded(fence.unlockMs),
      forecastMs: rounded(summary.forecast.heldMs),
    },
    home: {
      files: home?.files ?? 0,
      changed: home?.changed ?? 0,
      bytes: home?.bytes ?? 0,
      changedInLatch: home?.changedInLatch ?? 0,
      unreadable: home?.unreadable ?? [],
    },
    database: {
      type: database?.type ?? (summary.internal ? 'internal' : null),
      ...(database?.type === 'command' && { id: database.id }),
      tables: database?.tables ?? 0,
      rows: database?.rows ?? 0,
      segments: database?.segments ?? 0,
      changedSegments: database?.changedSegments ?? 0,
      bytes: database?.bytes ?? 0,
      audit: summary.audit,
    },
    stored: summary.stored,
    commands: summary.commands,
  };
}

function toText(summary: BackupSummary, instance: string): string {
  const { newChunks, newBytes, packedBytes } = summary.stored;
  return [
    `Snapshot ${summary.snapshot.slice(0, 8)} of ${printableText(instance)}, ${localTime(summary.timeMs)}`,
    ...describeHalves(summary),
    ...describeAudit(summary),
    `stored     ${counted(newChunks, 'new chunk')}, ${size(newBytes)}, packed to ${size(packedBytes)}`,
    ...describeFence(summary),
    ...describeCommands(summary.commands),
    `took       ${duration(summary.durationMs)}`,
  ].join('\n');
}

function describeAudit({ audit }: BackupSummary): string[] {
  if (!audit) return [];
  const wrong = audit.differences.reduce((sum, { rows }) => sum + rows, 0);
  const found = wrong === 0 ? 'all as stored' : `${counted(wrong, 'row')} not as stored`;
  return [`audit      ${counted(audit.rows, 'row')} read again: ${found}`];
}

interface Told {
  readonly instance: string;
  /** A host that may write only knows it from its cache alone, which a dry run leaves alone. */
  readonly isParentKnown: boolean;
}

function estimateToJson(
  { parent, home, database, commands, durationMs }: DryRun,
  { instance, isParentKnown }: Told,
): Record<string, unknown> {
  return {
    messageType: 'summary',
    dryRun: true,
    snapshot: null,
    parent,
    parentKnown: isParentKnown,
    instance,
    durationMs,
    home,
    database,
    commands,
  };
}

function estimateToText(
  { parent, home, database, commands }: DryRun,
  { instance, isParentKnown }: Told,
): string {
  const base = isParentKnown
    ? `A backup of ${printableText(instance)} would build on ${parent?.slice(0, 8) ?? 'nothing: it is the first'}`
    : `What a backup of ${printableText(instance)} would build on a dry run does not know with a key that may write only: everything counts as changed`;
  return [
    `Nothing was locked or written. ${base}`,
    ...(home
      ? [
          `home       ${counted(home.files, 'file')}, ${size(home.bytes)}; ${counted(home.changed, 'file')} to read, ${size(home.changedBytes)}`,
        ]
      : []),
    ...(database
      ? [
          `database   ${counted(database.tables, 'table')}; ${count(database.changedTables)} changed: ${count(database.changedSegments)} of ${counted(database.segments, 'segment')}, about ${size(database.bytes)} to look at`,
        ]
      : []),
    ...commands.map(command => `command    ${command.moment} ${titleOf(command)}: would run`),
  ].join('\n');
}
