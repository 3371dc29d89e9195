import { playRuns } from '../../bench/beside/play.ts';
import { mutants } from '../mutants/all.ts';
import type { Mutant } from '../mutants/mutant.ts';
import { protocolMutants } from '../mutants/protocol.ts';

/** Bugs of other programs that are in the protocol of backup and prune, too. */
const alsoOfTheProtocol: ReadonlySet<string> = new Set([
  'index of an earlier generation',
  'a sleeper commits',
  'pack names come again',
  'others are not seen',
  'an index that loses entries',
  'any set of snapshots will do',
  'a prune is not resumed',
]);

/** Those of which no run of backups and prunes can tell anything, each with the reason. */
const elsewhere: Readonly<Record<string, string>> = {
  'no copies':
    'a pack is swept only when all that is needed of it is elsewhere, so nothing is lost: its space is',
  'kept and not listed': 'what no part lists is asked of the packs themselves',
  'others are not seen': 'what dead runs left stays, and keeps what they needed',
  'an index that loses entries': 'it leaves out a comparison that finds another bug',
  'any set of snapshots will do': 'a folder of this machine lists everything',
};

/** The bugs that the runs must find. */
export function mutantsOfRuns(): readonly Mutant[] {
  return mutants.filter(
    mutant =>
      (protocolMutants.includes(mutant) || alsoOfTheProtocol.has(mutant.name)) &&
      mutant.covered === undefined &&
      elsewhere[mutant.name] === undefined,
  );
}

/** What a mutant came to. */
export interface Catch {
  readonly mutant: string;
  /** How many of the runs it took; undefined: none of them went wrong. */
  readonly run: number | undefined;
  readonly runs: number;
  readonly seconds: number;
  /** What went wrong, in one line. */
  readonly what: string;
}

export async function catchMutant(
  { name }: Mutant,
  options: {
    readonly firstSeed: number;
    readonly runs: number;
    readonly lanes: number;
    readonly secondsMax: number;
  },
): Promise<Catch> {
  const startMs = performance.now();
  const outcomes = await playRuns({ ...options, mutant: name });
  const failed = outcomes.find(({ failures }) => failures.length > 0);
  const [failure = 'NOT CAUGHT'] = failed?.failures ?? [];
  return {
    mutant: name,
    run: failed && failed.seed - options.firstSeed + 1,
    runs: outcomes.length,
    seconds: Math.round((performance.now() - startMs) / 1000),
    what: failure.split('\n')[0]!.replaceAll(/\S*\/(?=run-\d+\/)/g, ''),
  };
}
