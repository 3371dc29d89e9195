/**
 * Every rule of the protocol that FORMAT.md, 11, gives, one name each. The model obeys all of them, less those that a
 * mutant switches off.
 */
export const rules = {
  // The writer.
  'nothing new depends on tombstoned packs': 'a writer takes packs for dedup targets that a generation names',
  'swept packs are masked': 'whoever reads the index believes its parts alone',
  'packs are listed': 'who reads the index does not look whether the packs are there',
  'all sweeps are read': 'the second look reads the newest generation, not those that came and went between',
  'intent first': 'a writer creates no intent',
  'look after intent': 'a writer looks again, and creates its intent then',
  'look again': 'a writer does not look between its intent and its manifest',
  'all that is reachable': 'the second look takes what came from a parent for granted',
  veto: 'a writer that finds only tombstoned copies goes on without creating the sweep',
  'the first sweep decides': 'a later sweep replaces an earlier one',
  'index before manifest': 'a writer commits, and lists its packs then',
  'names are used once': 'the same content makes a pack of the same name',
  'read back': 'a commit that is retried takes "exists" for its own',
  'create only': 'the medium overwrites: a commit replaces what has its name',
  // The pruner.
  'decide again': 'what a generation names goes, without a second look',
  'intents count': 'a pruner looks at manifests only',
  'intents before manifests': 'a pruner reads manifests first and intents second',
  'a whole copy is outside': 'a sweep takes what is needed and nowhere else',
  'one copy is kept': 'a proposal names every copy of what has several',
  'packs of sessions stay': 'a pruner takes packs of sessions that are there',
  'copies first': 'a pack is tombstoned and swept, and what is needed of it is copied then',
  'what is kept is listed': 'a pruner counts on a pack that no index part lists, and does not list it',
  'aborted before the intent goes': 'a stale intent is removed without taking the name of its manifest',
  'new parts before deletes': 'an index part that lists swept packs goes before its replacement is written',
  'parts stay unless elsewhere': 'a replaced index part goes without asking whether its rows are elsewhere',
  compare: 'the parts that stay are not compared with what was listed',
  'merging keeps rows': 'a merged part leaves out a row',
  'index parts before packs': 'a sweep deletes packs first',
  'done after deletes': 'a generation is done before its deletes are',
  // Readers and forgetting.
  'readers name': 'a reader opens a session that names nothing',
  'readers count': 'a pruner does not ask what sessions name',
  'sessions after forgotten': 'a pruner reads sessions first and what was forgotten second',
  'readers look after they named': 'a reader looks for its snapshot and opens its session then',
  'nobody reads what goes': 'forgetting does not ask what sessions name before it deletes the manifest',
  'marked before deleted': 'forgetting deletes the manifest first',
} as const satisfies Record<string, string>;

export type Rule = keyof typeof rules;

/** How large the world is, and what may happen in it. */
export interface Configuration {
  readonly name: string;
  /** What each pack of the beginning holds, a bit a chunk; one index part lists all, unless `parts` says otherwise. */
  readonly packs: readonly number[];
  /** Rows and replaced parts of the index parts of the beginning, as bits. */
  readonly parts?: readonly { readonly rows: number; readonly replaces: number }[];
  /** What each snapshot of the beginning needs. */
  readonly snapshots: readonly number[];
  /** What each writer's snapshot needs, and which of the beginning it builds on without looking at its chunks. */
  readonly writers: readonly { readonly needs: number; readonly parent?: number }[];
  /** Which snapshot each reader reads. */
  readonly readers: readonly number[];
  readonly pruners: number;
  readonly generationsMax: number;
  /** Bits of snapshots, those of the beginning first and then the writers', that may be forgotten at any time. */
  readonly forgettable: number;
  /** A commit's put may fail before or after it took effect. */
  readonly lostAnswers: boolean;
  /** A list takes time: what comes or goes meanwhile may be left out. */
  readonly tornLists: boolean;
  /** Parties may die at any step. */
  readonly crashes: boolean;
  /** A prune may propose less than it could: what is mostly needed stays, and what the time does not suffice for. */
  readonly leaves?: boolean;
  /** The record of a generation may be damaged. */
  readonly damages?: boolean;
}
