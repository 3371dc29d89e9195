import { hostname } from 'node:os';
import { isAbsolute } from 'node:path';
import {
  committedHere,
  engineError,
  listSnapshots,
  type Snapshot,
  type VerifyResult,
  verifySnapshots,
} from '../../engine/index.ts';
import type { Amount, Store } from '../../store/index.ts';
import { parseDuration } from '../config/units.ts';
import type { Command, Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { openConfiguredStore } from '../open-store.ts';
import { damageJson, describeDamage, describeKnown } from '../render/damage.ts';
import { oneLine } from '../render/output.ts';
import { count, counted, localTime, size, utcTime } from '../render/quantities.ts';
import { stateDir } from '../settings/folders.ts';
import { snapshotNamed } from '../snapshot-named.ts';
import { withWitness } from '../witness.ts';

interface VerifyOptions {
  readonly snapshots: readonly string[];
  /** True where it stands without a share. */
  readonly readData?: true | string;
  readonly maxDuration?: string;
  readonly instance?: string;
  readonly tag?: string;
  readonly witness?: string;
}

/** Checks the store and the named snapshots (default: all); names what is damaged and what that takes with it. */
export const verify: Command<VerifyOptions> = async (context, options) => {
  const { share, names } = dataWanted(options);
  const maxDurationMs = durationOf(options.maxDuration);
  await using store = await openConfiguredStore(context);
  const snapshots = await wanted(context, store, { ...options, snapshots: names });
  const result = await withWitness(context, { store, file: options.witness }, async () =>
    verifySnapshots({
      store,
      host: hostname(),
      snapshots,
      isNamed: names.length > 0,
      remembered: await committedHere({ stateDir: stateDir(context.env), store }),
      readData: share ?? (maxDurationMs === undefined ? 0 : 'due'),
      maxDurationMs,
      signal: context.signal,
      onProgress: context.progress.onProgress,
    }),
  );
  for (const damage of result.elsewhere) context.output.warning(describeDamage(damage).join('\n'));
  for (const pack of result.unsteady)
    context.output.warning(`${pack} could not be read, and could a moment later: look at the medium`);
  if (!result.noted.isDone)
    context.output.warning(
      `This was not noted in the store: ${result.noted.error?.message ?? 'it cannot be written'}`,
    );
  const isData = share !== undefined || maxDurationMs !== undefined;
  context.output.result(toJson(result), toText(result, { isData }));
  if (result.ok) return exitCodes.done;
  const isNewerOnly = result.newer.length > 0 && result.damage.length === 0;
  const { failure } = result;
  if (isNewerOnly || failure === undefined) return isNewerOnly ? exitCodes.noStore : exitCodes.damaged;
  // What is damaged for certain weighs more than what nobody can say now.
  if (result.damage.every(({ mayBeWhole }) => mayBeWhole)) throw failure;
  const { remedy } = failure as { readonly remedy?: string };
  context.output.warning(`${failure.message}.${remedy ? ` ${remedy}` : ''}`);
  return exitCodes.damaged;
};

/** Undefined: all, and no manifest that cannot be read hides the others. */
async function wanted(
  context: Context,
  store: Store,
  options: VerifyOptions,
): Promise<readonly Snapshot[] | undefined> {
  const { snapshots, instance, tag } = options;
  if (snapshots.length > 0)
    return Promise.all(snapshots.map(snapshot => snapshotNamed(context, store, { ...options, snapshot })));
  if (instance === undefined && tag === undefined) return undefined;
  return listSnapshots(store, { instance, tag, onDamage: () => undefined });
}

/** `--read-data latest` is a snapshot, and `--read-data 5%` a share. */
function dataWanted({ readData, snapshots }: VerifyOptions): {
  readonly share: number | undefined;
  readonly names: readonly string[];
} {
  if (readData === undefined || readData === true) return { share: readData && 1, names: snapshots };
  const percent = /^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(readData)?.[1];
  if (/^(latest|[0-9a-f]{4,64})$/i.test(readData)) return { share: 1, names: [readData, ...snapshots] };
  if (percent !== undefined && Number(percent) > 0 && Number(percent) <= 100)
    return { share: Number(percent) / 100, names: snapshots };
  throw engineError(
    'USAGE',
    `Cannot read a share of ${JSON.stringify(readData)}: it is neither a percentage nor a snapshot`,
    {
      remedy:
        'Give a percentage up to 100%, as in --read-data=5%; or a snapshot, as in --read-data latest; or --read-data alone for every byte.',
    },
  );
}

function durationOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const durationMs = parseDuration(text);
  if (durationMs !== undefined && durationMs > 0) return durationMs;
  throw engineError('USAGE', `Cannot stop after ${JSON.stringify(text)}: it is no duration`, {
    remedy: 'Give it as in 90s, 30m or 6h.',
  });
}

function toJson(result: VerifyResult): Record<string, unknown> {
  const { scrub, noted, damage, elsewhere, known, ahead, failure, ...rest } = result;
  const { oldestReadMs, ...amounts } = scrub;
  return {
    messageType: 'summary',
    ...rest,
    damage: damage.map(damageJson),
    elsewhere: elsewhere.map(damageJson),
    known: known.map(damageJson),
    failure: failure?.message ?? null,
    noted: noted.isDone,
    ahead: ahead && { acts: ahead.acts, latestAt: utcTime(ahead.latestMs) },
    scrub: { ...amounts, oldestReadAt: oldestReadMs === null ? null : utcTime(oldestReadMs) },
  };
}

function toText(result: VerifyResult, { isData }: { isData: boolean }): string {
  const { damage, known, newer, waiting, notDue } = result;
  const read = isData
    ? `${size(result.bytesRead)} read`
    : 'structure only; --max-duration reads what is due, --read-data every byte';
  return [
    ...damage.flatMap(describeDamage),
    ...known.map(describeKnown),
    ...newer.map(
      ({ kind, object, state }) => `needs a newer Stillpoint, ${kind} ${object}: ${oneLine(state)}`,
    ),
    `${damage.length === 0 ? 'No damage' : counted(damage.length, 'damaged object')} in ${counted(result.snapshots, 'snapshot')}: ` +
      `${counted(result.chunksChecked, 'chunk')} checked, ${read}.`,
    ...(notDue > 0
      ? [
          `${counted(notDue, 'snapshot')} more ${notDue === 1 ? 'was checked lately, and is' : 'were checked lately, and are'} not due.`,
        ]
      : []),
    ...(waiting.length > 0 ? [`${counted(waiting.length, 'snapshot')} waited for more time.`] : []),
    ...debt(result),
    ...fromTheFuture(result),
    ...(damage.some(({ kind }) => kind !== 'pairing' && kind !== 'witness')
      ? [
          'Next: `stillpoint repair` mends what can be mended, and says exactly what is lost. What stays lost after it comes back with a backup that has it, or goes with the snapshots: `stillpoint forget`, and `stillpoint repair --forget-lost` for those that are no longer there.',
        ]
      : []),
    // Of the file itself its own line says all.
    ...(damage.some(({ kind, object }) => kind === 'witness' && !isAbsolute(object))
      ? [
          'Next: find out what took it away, and bring it back from a copy of the store. Where there is none, give the witness another name: the next verification makes a new one, and says so.',
        ]
      : []),
  ].join('\n');
}

/** What is not known about the bytes of the store. */
function debt({ scrub, noted, damage }: VerifyResult): string[] {
  const { all, read, due, overdue, neverRead, oldestReadMs } = scrub;
  if (all.packs === 0) return [];
  const amount = ({ packs, bytes }: Amount) => `${size(bytes)} in ${counted(packs, 'pack')}`;
  if (neverRead.packs === all.packs) return [`No byte of the ${amount(all)} was ever read again.`];
  if (!noted.isDone && read.packs > 0)
    return [`${amount(read)} were read now, and not noted: the next verify does not know it.`];
  const oldest = oldestReadMs === null ? '' : `; the oldest was read ${localTime(oldestReadMs)}`;
  const never = neverRead.packs > 0 ? `, ${count(neverRead.packs)} of them never` : '';
  return overdue.packs > 0
    ? [`Not read for 30 days: ${amount(overdue)} of ${amount(all)}${never}${oldest}.`]
    : [
        `${damage.length > 0 ? 'All that is not damaged' : 'Every byte'} was read within 30 days; ${due.packs > 0 ? amount(due) : 'nothing'} is due${oldest}.`,
      ];
}

/** What a clock that was ahead noted proves nothing of when. */
function fromTheFuture({ ahead }: VerifyResult): string[] {
  if (ahead === null) return [];
  return [
    `${counted(ahead.acts, 'earlier check')} of this store ${ahead.acts === 1 ? 'says' : 'say'} to be of the future (up to ${localTime(ahead.latestMs)}): a clock was ahead, or this one is behind. What they read counts as due.`,
  ];
}
