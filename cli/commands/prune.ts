import { hostname } from 'node:os';
import {
  committedHere,
  type PrunedSnapshot,
  type PruneResult,
  printableText,
  prune as pruneStore,
} from '../../engine/index.ts';
import type { Command } from '../context.ts';
import { openConfiguredStore } from '../open-store.ts';
import { counted, localTime, size, utcTime } from '../render/quantities.ts';
import { table } from '../render/table.ts';
import { stateDir } from '../settings/folders.ts';
import { pruneTimeOf, type RetentionFlags, retentionWish } from '../settings/retention.ts';
import { heedWitness } from '../witness.ts';

interface PruneOptions extends RetentionFlags {
  readonly dryRun?: true;
  readonly allowEmpty?: true;
  readonly maxDuration?: string;
  readonly wait?: string;
}

/** Forgets what the policy does not keep, each snapshot with its reason, and frees what no snapshot needs. */
export const prune: Command<PruneOptions> = async (context, options) => {
  const wish = retentionWish(context, options);
  const isDryRun = options.dryRun ?? false;
  const maxDurationMs = pruneTimeOf(options.maxDuration, '--max-duration');
  const waitMs = pruneTimeOf(options.wait, '--wait');
  await using store = await openConfiguredStore(context);
  await heedWitness(context, store);
  const result = await pruneStore({
    store,
    host: hostname(),
    clock: context.seams.clock,
    ...wish,
    isDryRun,
    remembered: await committedHere({ stateDir: stateDir(context.env), store }),
    maxDurationMs,
    waitMs,
    mayBeEmpty: options.allowEmpty ?? false,
    onWait: ({ host, purpose }) =>
      context.output.notice(
        `Waiting for a sign of life of a ${purpose} on ${printableText(host)}, at most 20 s …`,
      ),
    onDead: ({ host, purpose }) =>
      context.output.notice(
        `The ${purpose} on ${printableText(host)} showed none: it is dead${isDryRun ? '' : ', and what it left is cleaned up'}`,
      ),
    signal: context.signal,
    onProgress: context.progress.onProgress,
  });
  const { kept, forgotten, freedBytes, pendingBytes, pending, roomNeededBytes, stoppedIn } = result;
  for (const warning of result.warnings) context.output.warning(warning);
  context.output.result(
    {
      messageType: 'summary',
      dryRun: isDryRun,
      kept: kept.map(toJson),
      forgotten: forgotten.map(toJson),
      freedBytes,
      pendingBytes,
      pending,
      roomNeededBytes,
      stoppedIn: stoppedIn ?? null,
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
  const { kept, forgotten, freedBytes, pendingBytes, stoppedIn } = result;
  const would = isDryRun ? 'would be ' : '';
  const pending = pendingBytes > 0 ? `; ${size(pendingBytes)} more stay for now` : '';
  return [
    ...(kept.length + forgotten.length > 0 ? [toTable(result)] : []),
    `${counted(kept.length, 'snapshot')} kept, ${forgotten.length} ${would}forgotten; ${size(freedBytes)} ${would}freed${pending}.`,
    ...reasonsToWait(result),
    ...(stoppedIn === undefined ? [] : [stops[stoppedIn]]),
  ].join('\n');
}

const stops = {
  mark: 'The time was over before it was known what is needed: nothing was freed. Give a longer --max-duration.',
  rewrite: 'The time was over: the next prune goes on with what is left to copy.',
  delete: 'The time was over: the next prune deletes the rest of what is to go.',
} as const satisfies Record<NonNullable<PruneResult['stoppedIn']>, string>;

/** What keeps that which nothing that counts needs. */
function reasonsToWait({ pending, roomNeededBytes }: PruneResult): string[] {
  const reasons = [
    [pending.mostlyNeededBytes, 'not needed, among what is needed, too little to be worth copying'],
    [pending.atWorkBytes, 'written by runs that are at work, or left for them'],
    [pending.vetoedBytes, 'wanted again by a backup that was about to commit'],
    [pending.timeBytes, 'that the time did not suffice for'],
    [
      pending.roomBytes,
      `that wants room for copies first, which the medium has not: make ${size(roomNeededBytes)} free there by other means, and prune again`,
    ],
    [
      pending.damagedBytes,
      'in packs that were found damaged, or cannot be read: nothing new rests on them, also once they are whole again, and they go with what needs them',
    ],
  ] as const;
  return reasons.flatMap(([bytes, why]) => (bytes > 0 ? [`  ${size(bytes)} ${why}`] : []));
}

function toTable({ kept, forgotten }: PruneResult): string {
  const row = (action: string) => (one: PrunedSnapshot) => [
    one.snapshot.id.slice(0, 8),
    localTime(one.snapshot.timeMs),
    printableText(one.snapshot.instance),
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
