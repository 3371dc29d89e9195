import { hostname } from 'node:os';
import { type PrunedSnapshot, type PruneResult, prune as pruneStore } from '../../engine/index.ts';
import type { Command } from '../context.ts';
import { openConfiguredStore } from '../open-store.ts';
import { counted, localTime, size, utcTime } from '../render/quantities.ts';
import { table } from '../render/table.ts';
import { type RetentionFlags, retentionWish } from '../settings/retention.ts';

interface PruneOptions extends RetentionFlags {
  readonly dryRun?: true;
  readonly allowEmpty?: true;
}

/** Forgets what the policy does not keep, each snapshot with its reason, and frees what no snapshot needs. */
export const prune: Command<PruneOptions> = async (context, options) => {
  const wish = retentionWish(context, options);
  const isDryRun = options.dryRun ?? false;
  await using store = await openConfiguredStore(context);
  const result = await pruneStore({
    store,
    host: hostname(),
    clock: context.seams.clock,
    ...wish,
    isDryRun,
    mayBeEmpty: options.allowEmpty ?? false,
    onWait: ({ host, purpose }) =>
      context.output.notice(`Waiting for a sign of life of a ${purpose} on ${host} …`),
    signal: context.signal,
    onProgress: context.progress.onProgress,
  });
  const { kept, forgotten, freedBytes, pendingBytes } = result;
  context.output.result(
    {
      messageType: 'summary',
      dryRun: isDryRun,
      kept: kept.map(toJson),
      forgotten: forgotten.map(toJson),
      freedBytes,
      pendingBytes,
    },
    toText(result, { isDryRun }),
  );
  return 0;
};

function toJson({ snapshot, isHeld, reasons }: PrunedSnapshot): Record<string, unknown> {
  return {
    id: snapshot.id,
    reasons,
    instance: snapshot.instance,
    time: utcTime(snapshot.timeMs),
    tags: snapshot.tags,
    held: isHeld,
    unreadable: snapshot.home?.unreadable.length ?? 0,
  };
}

function toText(result: PruneResult, { isDryRun }: { isDryRun: boolean }): string {
  const { kept, forgotten, freedBytes, pendingBytes } = result;
  const would = isDryRun ? 'would be ' : '';
  const pending = pendingBytes > 0 ? `; ${size(pendingBytes)} more are not needed and stay for now` : '';
  return [
    ...(kept.length + forgotten.length > 0 ? [toTable(result)] : []),
    `${counted(kept.length, 'snapshot')} kept, ${forgotten.length} ${would}forgotten; ${size(freedBytes)} ${would}freed${pending}.`,
  ].join('\n');
}

function toTable({ kept, forgotten }: PruneResult): string {
  const row = (action: string) => (one: PrunedSnapshot) => [
    one.snapshot.id.slice(0, 8),
    localTime(one.snapshot.timeMs),
    one.snapshot.instance,
    action,
    [...one.reasons, ...incomplete(one)].join(', '),
  ];
  return table(
    ['snapshot', 'time', 'instance', '', 'because'],
    [...forgotten.map(row('forget')), ...kept.map(row('keep'))],
  );
}

/** It counts as a complete one does; a person should know when it is the one that stands for a day. */
function incomplete({ snapshot }: PrunedSnapshot): string[] {
  const { length } = snapshot.home?.unreadable ?? [];
  return length > 0 ? [`(lacks ${counted(length, 'unreadable source')})`] : [];
}
