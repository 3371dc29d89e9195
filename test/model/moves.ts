import type { Rule } from './rules.ts';
import type { Layout, State } from './world.ts';

/** What the parties' steps need: which rules hold, and where to put what comes next. */
export interface Moves {
  readonly layout: Layout;
  readonly has: (rule: Rule) => boolean;
  /** A step: what it is, and what it changes in a copy of the state. */
  readonly emit: (state: State, what: string, change: (to: State) => void) => undefined;
  /** The world has no room for a step, which is left out: counted, so that nobody believes in what was not explored. */
  readonly full: () => undefined;
}
