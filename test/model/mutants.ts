import { worlds } from './configurations.ts';
import { type Explored, explore } from './explore.ts';
import type { Configuration, Rule } from './rules.ts';

/** The protocol without some of its rules. */
export interface Mutant {
  readonly without: readonly Rule[];
  /** Where it shows, or in which worlds it was sought in vain. */
  readonly worlds: readonly Configuration[];
  /** Why nothing goes wrong: another rule covers it. Without this every snapshot must be lost somewhere. */
  readonly harmless?: string;
}

const { one, again, apart, parent, lost, reader, unlisted, merged, merging } = worlds;

/**
 * Each rule alone, and those together of which one covers the other. What is harmless is proved so: its worlds are explored
 * to the end.
 */
export const mutants: readonly Mutant[] = [
  { without: ['look again'], worlds: [one] },
  { without: ['look after intent'], worlds: [one] },
  { without: ['intent first'], worlds: [one] },
  { without: ['all that is reachable'], worlds: [parent] },
  { without: ['veto'], worlds: [one] },
  { without: ['the first sweep decides'], worlds: [one] },
  { without: ['swept packs are masked'], worlds: [one] },
  { without: ['index before manifest'], worlds: [one] },
  { without: ['names are used once'], worlds: [apart] },
  { without: ['read back'], worlds: [lost] },
  { without: ['create only'], worlds: [one] },
  { without: ['decide again'], worlds: [one] },
  { without: ['intents count'], worlds: [one] },
  { without: ['intents before manifests'], worlds: [one] },
  { without: ['a whole copy is outside'], worlds: [one] },
  { without: ['copies first'], worlds: [one] },
  { without: ['what is kept is listed'], worlds: [unlisted] },
  { without: ['aborted before the intent goes'], worlds: [one] },
  { without: ['new parts before deletes'], worlds: [apart] },
  { without: ['readers name'], worlds: [reader] },
  { without: ['readers count'], worlds: [reader] },
  { without: ['readers look after they named'], worlds: [reader] },
  { without: ['marked before deleted'], worlds: [lost] },
  { without: ['nobody reads what goes'], worlds: [reader] },
  {
    without: ['nothing new depends on tombstoned packs'],
    worlds: [one, again],
    harmless:
      'the second look finds the tombstones, and vetoes or fails: more runs fail, none loses anything',
  },
  {
    without: ['packs are listed'],
    worlds: [one, again],
    harmless: 'what goes is in a sweep before, and swept packs are masked',
  },
  {
    without: ['all sweeps are read'],
    worlds: [one, again],
    harmless: 'what a finished generation swept is not there, and packs are listed',
  },
  { without: ['all sweeps are read', 'packs are listed'], worlds: [again] },
  {
    without: ['one copy is kept'],
    worlds: [one, again],
    harmless:
      'the decision spares what has no whole copy outside: nothing is lost, and nothing of it is freed',
  },
  {
    without: ['packs of sessions stay'],
    worlds: [one, again],
    harmless: 'the writer looks again and fails or vetoes: leases are about who has to begin anew',
  },
  { without: ['packs of sessions stay', 'look again'], worlds: [one] },
  {
    without: ['index parts before packs'],
    worlds: [one, apart],
    harmless: 'rows of swept packs are masked whether the packs are there or not',
  },
  {
    without: ['done after deletes'],
    worlds: [one, apart],
    harmless:
      'a sweep is final, and its packs are masked for ever: what is left lies there until a later prune',
  },
  {
    without: ['sessions after forgotten'],
    worlds: [reader],
    harmless:
      'what goes was forgotten before the proposal, and who begins to read after that finds it forgotten',
  },
  { without: ['compare'], worlds: [merging], harmless: 'it is about mistakes of merging, and there is none' },
  {
    without: ['merging keeps rows'],
    worlds: [merging],
    harmless: 'compare refuses before anything is deleted',
  },
  {
    without: ['merging keeps rows', 'compare'],
    worlds: [merging],
    harmless: 'the decision asks of each replaced part whether its rows are elsewhere',
  },
  { without: ['merging keeps rows', 'compare', 'parts stay unless elsewhere'], worlds: [merging] },
  {
    without: ['parts stay unless elsewhere'],
    worlds: [merged, merging],
    harmless: 'it is about replacements that lack rows, and compare would refuse',
  },
];

export interface Met {
  readonly states: number;
  /** Lost where it should be, or harmless wherever it was looked at to the end. */
  readonly isAsExpected: boolean;
  readonly found: Explored['violation'];
}

/** With `isQuick` in the first of its worlds only. */
export function meet(
  { without, worlds, harmless }: Mutant,
  { isQuick = false }: { readonly isQuick?: boolean } = {},
): Met {
  let states = 0;
  for (const world of isQuick ? worlds.slice(0, 1) : worlds) {
    const { isWhole, violation, ...explored } = explore(world, { without });
    states += explored.states;
    const isAsExpected =
      harmless === undefined ? violation !== undefined : violation === undefined && isWhole;
    if (violation !== undefined || !isAsExpected) return { states, isAsExpected, found: violation };
  }
  return { states, isAsExpected: harmless !== undefined, found: undefined };
}
