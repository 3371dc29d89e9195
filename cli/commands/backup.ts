import { hostname } from 'node:os';
import { type BackupSummary, backup as backUpPair, type LatchToken } from '../../engine/index.ts';
import { backupSettings, refuseStoreInHome } from '../backup-settings.ts';
import type { Command, Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { openConfiguredStore, storePlace } from '../open-store.ts';
import { describeFence, describeHalves } from '../render/pair.ts';
import { counted, duration, localTime, size } from '../render/quantities.ts';
import { warnOfProblems } from '../snapshot-named.ts';
import { stateDir } from '../state-dir.ts';

interface BackupOptions {
  readonly tag: readonly string[];
}

/** Takes one paired snapshot. */
export const backup: Command<BackupOptions> = async (context, options) => {
  const settings = backupSettings(context);
  refuseStoreInHome(settings.home, storePlace(context));
  await using store = await openConfiguredStore(context);
  const { app } = settings;
  await using _connections = { [Symbol.asyncDispose]: () => app.close() };
  const summary = await backUpPair({
    ...settings,
    home: settings.home && { ...settings.home, ...context.backupSeams?.home },
    store,
    seams: context.seams,
    host: hostname(),
    tags: options.tag,
    program: context.version,
    latch: { ...settings.latch, stateDir: stateDir(context.env) },
    signal: context.signal,
    onPhase: async phase => {
      context.output.status({ phase });
      await context.backupSeams?.onPhase?.(phase);
    },
    onProgress: context.progress.onProgress,
    onToken: token => tellToken(context, token),
  });
  const unreadable = summary.home?.unreadable ?? [];
  for (const name of unreadable) context.output.warning(`Cannot read ${name}: it is not in the snapshot`);
  warnOfProblems(context, store);
  for (const warning of summary.warnings) context.output.warning(warning);
  context.output.result(toJson(summary, settings.instance), toText(summary, settings.instance));
  return unreadable.length > 0 ? exitCodes.incomplete : exitCodes.done;
};

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
    },
    home: {
      files: home?.files ?? 0,
      changed: home?.changed ?? 0,
      bytes: home?.bytes ?? 0,
      changedInLatch: home?.changedInLatch ?? 0,
      unreadable: home?.unreadable ?? [],
    },
    database: {
      tables: database?.tables ?? 0,
      rows: database?.rows ?? 0,
      segments: database?.segments ?? 0,
      changedSegments: database?.changedSegments ?? 0,
      bytes: database?.bytes ?? 0,
    },
    stored: summary.stored,
  };
}

function toText(summary: BackupSummary, instance: string): string {
  const { newChunks, newBytes, packedBytes } = summary.stored;
  return [
    `Snapshot ${summary.snapshot.slice(0, 8)} of ${instance}, ${localTime(summary.timeMs)}`,
    ...describeHalves(summary),
    `stored     ${counted(newChunks, 'new chunk')}, ${size(newBytes)}, packed to ${size(packedBytes)}`,
    ...describeFence(summary.fence),
    `took       ${duration(summary.durationMs)}`,
  ].join('\n');
}
