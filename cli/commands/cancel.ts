import { hostname } from 'node:os';
import {
  type CanceledRun,
  cancelRun,
  listSnapshots,
  type NothingToCancel,
  printableText,
} from '../../engine/index.ts';
import type { Command, Context } from '../context.ts';
import { openConfiguredStore } from '../open-store.ts';
import { counted, localTime } from '../render/quantities.ts';
import { instanceOf, lockSettings } from '../settings/backup.ts';
import { stateDir } from '../settings/folders.ts';

/** Ends the backup of the configured instance that runs on this host. */
export const cancel: Command<object> = async context => {
  const instance = instanceOf(context.requireConfig().values);
  const { clock } = context.seams;
  const result = await cancelRun({
    stateDir: stateDir(context.env),
    instance,
    clock,
    signal: context.signal,
    onWait: pid => context.output.notice(`Waiting for process ${pid} to clean up and end …`),
    openApp: () => lockSettings(context).app,
    findSnapshot: sinceMs => snapshotSince(context, { instance, sinceMs }),
  });
  context.output.result(toJson(result), toText(result, { instance, folder: stateDir(context.env) }));
};

/** The newest snapshot that this host has made of the instance since then, if the store can tell. */
async function snapshotSince(
  context: Context,
  { instance, sinceMs }: { readonly instance: string; readonly sinceMs: number },
) {
  try {
    await using store = await openConfiguredStore(context);
    const found = await listSnapshots(store, { instance, onDamage: () => undefined });
    const ours = found.filter(({ host, timeMs }) => host === hostname() && timeMs >= Math.floor(sinceMs));
    return ours.at(-1)?.id ?? null;
  } catch (error) {
    const { message } = error as Error;
    context.output.warning(`${message}: whether the run had made a snapshot is not known`);
    return null;
  }
}

function toJson(result: CanceledRun | NothingToCancel): Record<string, unknown> {
  if ('leftLocks' in result) {
    const { leftLocks } = result;
    return { messageType: 'summary', canceled: false, pid: null, unlocked: false, snapshot: null, leftLocks };
  }
  const { pid, phase, isKilled, wasLocked, snapshot } = result;
  const canceled = snapshot === null;
  return { messageType: 'summary', canceled, pid, phase, killed: isKilled, unlocked: wasLocked, snapshot };
}

function toText(
  result: CanceledRun | NothingToCancel,
  { instance, folder }: { readonly instance: string; readonly folder: string },
): string {
  if ('leftLocks' in result) {
    const left =
      result.leftLocks > 0
        ? ` Left by dead runs: ${counted(result.leftLocks, 'lock record')}; \`stillpoint unlock\` releases what they locked.`
        : '';
    return `No backup of ${printableText(instance)} runs that keeps its state in ${folder}: there is nothing to cancel.${left}`;
  }
  const { pid, sinceMs, phase, isKilled, wasLocked, snapshot } = result;
  const who = `process ${pid} (a backup of ${printableText(instance)} since ${localTime(sinceMs)})`;
  if (snapshot !== null) {
    return `Too late to cancel ${who}: it had committed snapshot ${snapshot.slice(0, 8)}. Drop it with \`stillpoint forget ${snapshot.slice(0, 8)}\`.`;
  }
  const where = phase === null ? '' : ` in phase ${phase}`;
  const how = isKilled ? `Killed ${who}: it did not end when asked to${where}.` : `Ended ${who}${where}.`;
  const lock = wasLocked ? 'It held the application, which is unlocked now.' : 'It held no lock.';
  return `${how} ${lock} There is no snapshot of it.`;
}
