import { statSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import {
  committedHere,
  engineError,
  printableText,
  type RepairResult,
  repair as repairStore,
} from '../../engine/index.ts';
import type { Command } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { openConfiguredStore } from '../open-store.ts';
import { counted, size } from '../render/quantities.ts';
import { stateDir } from '../settings/folders.ts';

interface RepairOptions {
  readonly index?: true;
  readonly dryRun?: true;
  readonly home?: string;
  readonly forgetLost?: true;
}

/** Mends a store by adding to it, and says exactly what is lost. */
export const repair: Command<RepairOptions> = async (context, options) => {
  const isDryRun = options.dryRun ?? false;
  const home = options.home === undefined ? undefined : folderAt(resolve(context.cwd, options.home));
  await using store = await openConfiguredStore(context);
  const result = await repairStore({
    store,
    host: hostname(),
    home: home ?? context.config()?.values.home?.path,
    readData: options.index === undefined,
    isDryRun,
    remembered: await committedHere({ stateDir: stateDir(context.env), store }),
    forgetsLost: options.forgetLost ?? false,
    signal: context.signal,
    onProgress: context.progress.onProgress,
  });
  context.output.result(
    { messageType: 'summary', dryRun: isDryRun, ...toJson(result) },
    toText(result, { isDryRun, forgetsLost: options.forgetLost ?? false }).join('\n'),
  );
  const { failure } = result;
  if (failure === undefined) return result.ok ? exitCodes.done : exitCodes.damaged;
  // What is damaged weighs more than what could not be done about it.
  if (result.ok) throw failure;
  const { remedy } = failure as { readonly remedy?: string };
  context.output.warning(`Not all could be done: ${failure.message}.${remedy ? ` ${remedy}` : ''}`);
  return exitCodes.damaged;
};

/** What was named by hand and is not there was meant otherwise. USAGE. */
function folderAt(path: string): string {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path;
  throw engineError('USAGE', `Cannot heal from ${path}: it is no folder`, {
    remedy: 'Give the live home as --home, or leave it out to use that of the configuration.',
  });
}

function toJson({ healed, healedFiles, found, failure, ...result }: RepairResult): Record<string, unknown> {
  return {
    ...result,
    failure: failure?.message ?? null,
    found: found.map(({ kind, object, state }) => ({ kind, object, state })),
    healed: [
      ...healed,
      ...healedFiles.map(({ file, chunks }) => ({ object: file, from: 'the live home', chunks })),
    ],
  };
}

interface Told {
  readonly isDryRun: boolean;
  readonly forgetsLost: boolean;
}

function toText(result: RepairResult, told: Told): string[] {
  const would = told.isDryRun ? 'would be ' : '';
  return [
    ...firstOf(result.found.map(({ kind, object, state }) => `found      ${kind} ${object}: ${state}`)),
    ...result.rebuilt.map(({ object, from }) => `${would}rebuilt    ${object}, from ${from}`),
    ...result.healed.map(
      ({ object, from, chunks }) =>
        `${would}healed     ${counted(chunks, 'chunk')} of ${object}, from ${from}`,
    ),
    ...result.healedFiles.map(
      ({ file, chunks }) =>
        `${would}healed     ${counted(chunks, 'chunk')}, from the live file ${printableText(file)}`,
    ),
    ...result.recorded.map(
      ({ object, frames, lost }) => `${would}recorded   ${recordText({ object, frames, lost })}`,
    ),
    ...lossesOf(result, told),
    ...firstOf(result.left.map(({ object, state, remedy }) => `left       ${object}: ${state}. ${remedy}`)),
    ...result.unreadable.map(
      object =>
        `unreadable ${object}: the medium fails to read it. It may be whole: copy the store to another medium, and repair that.`,
    ),
    ...(result.unknown > 0
      ? [`left       ${counted(result.unknown, 'object')} with names that this version does not know`]
      : []),
    summaryOf(result, told),
  ];
}

const linesMax = 20;

/** Hundreds of lines of one kind hide the others. */
function firstOf(lines: readonly string[]): string[] {
  if (lines.length <= linesMax) return [...lines];
  const [word] = lines[0]!.split(' ', 1);
  const more = `${word!.padEnd(11)}${lines.length - linesMax} more; --json names all`;
  return [...lines.slice(0, linesMax), more];
}

function recordText({ object, frames, lost }: RepairResult['recorded'][number]): string {
  const what = frames === 'all' ? 'all frames' : frames.length > 0 ? `frames ${frames.join(', ')}` : '';
  const gone = lost > 0 ? `${counted(lost, 'chunk')} as lost` : '';
  return `${object ?? 'no pack'}: ${[what, gone].filter(text => text !== '').join('; ')}`;
}

function lossesOf({ lost, degraded, whole, forgotten }: RepairResult, told: Told): string[] {
  const name = (id: string | null) =>
    id === null ? 'a snapshot whose id nobody knows' : `snapshot ${id.slice(0, 8)}`;
  return [
    ...lost.flatMap(({ snapshot, instance, affects }) => [
      `lost       ${name(snapshot)}${instance === null ? '' : ` of ${printableText(instance)}`}`,
      ...affects.map(text => `             ${printableText(text)}`),
    ]),
    ...degraded.map(({ snapshot, of }) =>
      snapshot === null
        ? `would be made: a snapshot of what is left of ${name(of)}`
        : `made       ${name(snapshot)}: what is left of ${name(of)}, which stays until you forget it`,
    ),
    ...whole.map(
      ({ snapshot, degraded: copy }) =>
        `whole      ${name(snapshot)} lacks nothing any more; ${name(copy)} was made of it and can be forgotten`,
    ),
    ...forgotten.map(({ id, refused, wasHeld }) =>
      refused === undefined
        ? `${told.isDryRun ? 'would be ' : ''}forgotten  ${name(id)}: nobody can say what it was${wasHeld ? '; a hold was to keep it, and its manifest is gone all the same' : ''}`
        : `kept       ${name(id)}: ${refused}`,
    ),
    ...(lost.some(({ instance }) => instance === null) && !told.forgetsLost
      ? [
          'Lost manifests stop every prune. Bring manifests/ back from a copy of the store; if there is none, run `stillpoint repair --forget-lost`.',
        ]
      : []),
  ];
}

function summaryOf(result: RepairResult, { isDryRun }: Told): string {
  const { ok, found, lost, left, bytesRead, failure } = result;
  const checked = `${counted(result.chunksChecked, 'chunk')} checked, ${size(bytesRead)} read.`;
  if (ok && failure !== undefined) return `Nothing is lost, and not all could be done: ${checked}`;
  if (found.length === 0 && ok) return `No damage: ${checked}`;
  // What was lost as a whole is no part of the store any more.
  const all = result.forgotten.some(({ refused }) => refused === undefined)
    ? 'All that is left'
    : 'Everything';
  if (ok) return `${all} ${isDryRun ? 'would be' : 'is'} whole again: ${checked}`;
  const count = lost.length || left.length;
  const stays =
    lost.length > 0 ? `${counted(count, 'snapshot')} with losses` : counted(count, 'damaged object');
  const verb = isDryRun ? 'would stay' : count === 1 ? 'stays' : 'stay';
  return `${stays} ${verb}: ${checked}`;
}
