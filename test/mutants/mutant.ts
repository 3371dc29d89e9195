import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { projectRoot } from '../helpers/project.ts';

/**
 * A bug put back into the compiled program while its modules are loaded: no file is changed, and the source has no places
 * made for it. A mutant says which test must fail with it, so that a test which would let the bug pass is found out.
 *
 * - `npm run mutants` runs all of them, each with its test, and prints a table.
 * - `STILLPOINT_MUTANT=name node --import ./dist/test/mutants/register.js dist/test/store/x.test.js` runs one test with one.
 * - A worker or a program calls `loadWith(mutant)` before it imports what is to be changed.
 *
 * The program as a process is one bundle that no mutant reaches: a test sees it in what runs in its own process.
 *
 * To add one: a line in a list beside this file, with the text as the compiler writes it (look into dist/). It must be there
 * exactly once; otherwise the mutant fails before anything runs, as it does when the code has changed under it.
 */
export interface Mutant {
  readonly name: string;
  /** What is wrong with the program then. */
  readonly breaks: string;
  /** Changes, all of them made; each text is there exactly once. */
  readonly patches: readonly Patch[];
  /** Test files under dist/, one of which must fail; 'schedules': a snapshot is lost in one of them. */
  readonly caughtBy: 'schedules' | readonly string[];
  /** For a mutant that changes nothing that can be lost: the rule that covers it. It must not be caught. */
  readonly covered?: string;
}

export interface Patch {
  /** Under dist/. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** What the hooks are given: modules by their addresses, with the text that they get. */
export type Mutated = Readonly<Record<string, string>>;

/** The changed modules. Throws where a text is not there exactly once. */
export function mutate({ name, patches }: Pick<Mutant, 'name' | 'patches'>): Mutated {
  const texts: Record<string, string> = {};
  for (const { file, find, replace } of patches) {
    const path = join(projectRoot, 'dist', file);
    const url = pathToFileURL(path).href;
    const text = texts[url] ?? readFileSync(path, 'utf8');
    const count = text.split(find).length - 1;
    if (count !== 1)
      throw new Error(
        `Cannot make mutant ${name}: dist/${file} has its text ${count} times, need it once:\n${find}`,
      );
    texts[url] = text.replace(find, () => replace);
  }
  return texts;
}

/** From here on modules of this thread are loaded as the mutant has them. */
export function loadWith(mutant: Pick<Mutant, 'name' | 'patches'>): void {
  register('./hooks.js', { parentURL: import.meta.url, data: mutate(mutant) });
}
