import type { TestContext } from 'node:test';

/**
 * What an administrator can run into, and must end well: the list that the table at the end of a test run is made from.
 * Every one has a test that says how it ended, with `tellCase`.
 */
export const cases = [
  // store, passphrase, configuration
  'wrong passphrase',
  'no store',
  'newer store',
  'unknown key in the configuration',
  'wrong value in the configuration',
  'wrong use of the command line',
  // home
  'home missing',
  'home a file',
  'home on NFS',
  // database
  'database refuses',
  'database lacks rights',
  'database too old',
  'database behind a transaction pooler',
  'database with row-level security',
  'database changes under way',
  'database dies in each phase',
  // application
  'application not there',
  'application answers HTML',
  'application answers a redirect',
  'application answers an empty 204',
  'application answers an error',
  'application refuses the login',
  'application does not answer',
  'application answers half',
  'application drops the connection',
  'application gives no token',
  'application never drains',
  'application fails its task',
  'application is cancelled from its page',
  'application restarts in the window',
  'application refuses progress',
  'application refuses the unlock once',
  'application refuses the unlock three times',
  'application refuses the unlock for good',
  // restore and names
  'restore target that holds anything',
  'snapshot unknown',
  'snapshot ambiguous',
  // files
  'file vanishes',
  'file changes while read',
  'file cannot be read',
  'FIFO, socket, device',
  'loop of links',
  'name that is not UTF-8',
  'path of 4,000 bytes',
  'sparse file of 1 TiB',
  // disks
  'full disk under the store',
  'full disk under the cache',
  'full disk under the state',
  'full disk under the restore target',
  // runs
  'Ctrl-C in every phase',
  'SIGTERM in every phase',
  'SIGHUP in every phase',
  'two runs at once',
  'clock that jumps',
  'clock before 1970',
  'output that nobody reads',
] as const;

export type CaseName = (typeof cases)[number];

const mark = 'case: ';

/**
 * Says in the test's diagnostics how a case ended, such as `exit 12 STORE_WRONG_PASSPHRASE`: a row of the table. A test
 * that this machine cannot run says so first, then skips itself: `tellCase(context, name, 'not tried: needs root')`.
 */
export function tellCase(context: TestContext, name: CaseName, ending: string): void {
  context.diagnostic(`${mark}${name}: ${ending}`);
}

/** The case and its ending, where a diagnostic is one of `tellCase`. */
export function readCase(diagnostic: string): { name: CaseName; ending: string } | undefined {
  if (!diagnostic.startsWith(mark)) return undefined;
  const text = diagnostic.slice(mark.length);
  const name = cases.find(one => text.startsWith(`${one}: `));
  return name && { name, ending: text.slice(name.length + 2) };
}
