import { toText } from '../../cli/commands/show.ts';
import { toTable } from '../../cli/commands/snapshots.ts';
import type { Snapshot } from '../../engine/pair.ts';
import { repair } from '../../engine/repair/repair.ts';
import { restore } from '../../engine/restore/restore.ts';
import { prune } from '../../engine/retention/prune.ts';
import { listSnapshots } from '../../engine/snapshots.ts';
import { verifySnapshots } from '../../engine/verify.ts';
import { readHolds, readLedger, type Store, systemClock } from '../../store/index.ts';
import { assertPlain, jsonText, type Step } from './read.ts';
import type { Sandbox } from './sandbox.ts';
import { type Objects, openObjects } from './store.ts';

/** Everything that reads a store, each on its own; and a prune. */
export function storeSteps(objects: Objects, sandbox: Sandbox): Step[] {
  const signal = new AbortController().signal;
  const withStore = async (work: (store: Store) => Promise<void>): Promise<void> => {
    await using store = await openObjects(objects);
    await work(store);
  };
  const readable = async (store: Store): Promise<Snapshot[]> =>
    listSnapshots(store, { onDamage: () => undefined });
  return [
    [
      'snapshots',
      () =>
        withStore(async store => {
          const found = await readable(store);
          const table = toTable(found, {
            held: await readHolds(store, {}),
            ledger: await readLedger(store, {}),
          });
          if (table.split('\n').length !== found.length + 1)
            throw new Error('a manifest made lines of its own');
          assertPlain(table.replaceAll('\n', ''));
          for (const snapshot of found) {
            jsonText({ ...snapshot });
            toText(snapshot);
          }
        }),
    ],
    [
      'verify',
      () =>
        withStore(async store => {
          const snapshots = await readable(store);
          const result = await verifySnapshots({
            store,
            host: 'h',
            snapshots,
            isNamed: false,
            readData: 1,
            signal,
            onProgress: () => {},
          });
          jsonText({ ...result });
        }),
    ],
    [
      'restore',
      () =>
        withStore(async store => {
          const [first] = await readable(store);
          if (first?.home)
            await restore({ store, clock: systemClock, host: 'h', snapshot: first, home: sandbox.target });
        }),
    ],
    [
      'repair',
      () =>
        withStore(async store => {
          const options = {
            store,
            host: 'h',
            readData: true,
            forgetsLost: true,
            signal,
            onProgress: () => {},
          };
          const { lost } = await repair({ ...options, home: sandbox.outside, isDryRun: true });
          jsonText({ lost });
          await repair({ ...options, isDryRun: false });
        }),
    ],
    [
      'prune',
      () =>
        withStore(async store => {
          const options = {
            store,
            host: 'h',
            clock: systemClock,
            instance: undefined,
            mayBeEmpty: false,
            mayBeUnknown: false,
            signal,
          };
          await prune({
            ...options,
            retention: { policy: { keepLast: 1 }, timeZone: 'UTC' },
            isDryRun: false,
            onWait: () => {},
            onProgress: () => {},
          });
        }),
    ],
  ];
}
