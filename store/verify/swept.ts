import type { PackId } from '../ids.ts';
import { isFinding } from '../medium-error.ts';
import { type Generations, generationName, readRecord, tombstonesOf } from '../protocol/generations.ts';
import { readPart } from './read-part.ts';
import { type Inventory, isPassedOver, type VerifyRun } from './run.ts';

const sweepPattern = /^gc\/([1-9][0-9]{0,14})\.sweep$/;

/**
 * Tells of packs that are listed and not there whether a finished generation took them whose sweep cannot be read any more:
 * it had proposed them, or a part of the index that can be read has left them out where it took the place of others. Where
 * something needs one all the same, that is damage.
 */
export async function sweptUnread(
  run: VerifyRun,
  inventory: Inventory,
  { last, open }: Generations,
): Promise<(pack: PackId) => boolean> {
  const isFinished = (number: number) => number < last || (number === last && open === undefined);
  const numbers = run.report.list
    .map(({ object }) => Number(sweepPattern.exec(object)?.[1]))
    .filter(number => isFinished(number));
  if (numbers.length === 0) return () => false;
  const proposed = new Set<PackId>();
  for (const number of numbers) {
    // That it cannot be read was reported with the other records.
    const record = await readRecord(run.context, number, run).catch((error: unknown) => {
      if (!isPassedOver(run, error, { kind: 'generation', object: generationName(number) }))
        unlessFinding(error);
      return undefined;
    });
    for (const pack of tombstonesOf(record)) proposed.add(pack);
  }
  const { isReplaced, isListed } = await readListed(run, inventory);
  return pack => proposed.has(pack) || (isReplaced(pack) && !isListed(pack));
}

/** Packs in parts that others replace, and in those that nothing does. */
async function readListed(run: VerifyRun, { indexParts }: Inventory) {
  const byPart = new Map<string, readonly PackId[]>();
  const replaced = new Set<string>();
  for (const name of indexParts) {
    run.signal?.throwIfAborted();
    await run.breathe();
    const part = await readPart(run, name).catch((error: unknown) => {
      if (!isPassedOver(run, error, { kind: 'index', object: name })) unlessFinding(error);
      return undefined;
    });
    for (const id of part?.replaces ?? []) replaced.add(`index/${id}`);
    byPart.set(name, part?.rows.map(({ pack }) => pack) ?? []);
  }
  const packsOf = (wants: (part: string) => boolean) =>
    new Set([...byPart].flatMap(([name, packs]) => (wants(name) ? packs : [])));
  const [ofReplaced, others] = [packsOf(name => replaced.has(name)), packsOf(name => !replaced.has(name))];
  return {
    isReplaced: (pack: PackId) => ofReplaced.has(pack),
    isListed: (pack: PackId) => others.has(pack),
  };
}

function unlessFinding(error: unknown): undefined {
  if (!isFinding(error)) throw error;
  return undefined;
}
