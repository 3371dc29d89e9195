import { type Clock, oldHostKey, problemsForWriters, type Store, whyWritersStop } from '../../store/index.ts';
import type { Snapshot } from '../pair.ts';
import { listSnapshots } from '../snapshots.ts';
import type { Check } from './check.ts';
import { diskOf, sizeText } from './disk.ts';
import { bad, type Finding, failed, good, warn } from './finding.ts';

/** Of what the newest snapshot holds, so much should be free: a day of changes, and packs that are rewritten by prune. */
const freeShare = 0.1;
const futureMs = 60_000;

export interface StoreContentOptions {
  readonly place: string;
  readonly instance: string | null;
  readonly clock: Clock;
  readonly open: () => Promise<Store>;
}

/** The store opens with the passphrase, its manifests can be read, and there is room for more. */
export function checkStoreContent(options: StoreContentOptions): Check {
  const name = 'store';
  return {
    name,
    async run() {
      let store: Store;
      try {
        store = await options.open();
      } catch (error) {
        return [failed(name, error)];
      }
      await using _opened = store;
      if (store.host !== undefined) return judgeAsHost(name, store, options);
      const damaged: Finding[] = [];
      const onDamage = (_id: string, error: Error) => void damaged.push(failed(name, error));
      const snapshots = await listSnapshots(store, { onDamage });
      const opens = `${store.location} opens with the passphrase and holds ${snapshots.length === 1 ? '1 snapshot' : `${snapshots.length} snapshots`}`;
      return [
        good(name, opens),
        ...damaged,
        ...(await judgeWriting(name, store)),
        ...judgeTimes(name, snapshots, options),
        ...(await judgeSpace(name, snapshots, options)),
      ];
    },
  };
}

/** So many objects are named one by one. */
const namedMax = 3;

/** What stands under gc/ may stop every backup and prune, and no reader; packs or parts of the index may be gone. */
async function judgeWriting(check: string, store: Store): Promise<Finding[]> {
  const error = await whyWritersStop(store);
  if (error !== undefined) return [failed(check, error)];
  const problems = await problemsForWriters(store);
  const named = problems.slice(0, namedMax).map(one => failed(check, one.error));
  const { length } = problems.slice(namedMax);
  if (length === 0) return named;
  const found = `${length} more packs or parts of the index of ${store.location} are gone or damaged`;
  return [...named, bad(check, { found, remedy: 'Run `stillpoint verify`: it names what that costs.' })];
}

/** As far as a host can tell that may write only. */
async function judgeAsHost(name: string, store: Store, options: StoreContentOptions): Promise<Finding[]> {
  let own = 0;
  for await (const { host } of store.clearParts()) if (host === store.host) own += 1;
  const opens = `${store.location} opens with the key of ${store.host}, which may write only; ${own} of its snapshots are there`;
  const old = await oldHostKey(store);
  return [good(name, opens), ...(old ? [warn(name, old)] : []), ...(await judgeSpace(name, [], options))];
}

function judgeTimes(
  check: string,
  snapshots: readonly Snapshot[],
  { clock }: StoreContentOptions,
): Finding[] {
  const nowMs = clock.nowMs();
  const late = snapshots.filter(({ timeMs }) => timeMs > nowMs + futureMs).at(-1);
  if (!late) return [];
  const when = new Date(late.timeMs).toISOString();
  const found = `snapshot ${late.id.slice(0, 8)} of ${late.instance} is from the future (${when}): the clock of ${late.host} was, or this one is, wrong`;
  return [
    warn(check, {
      found,
      remedy: 'Set the clocks with NTP. Such a snapshot counts for no age and no day of the policy.',
    }),
  ];
}

async function judgeSpace(
  check: string,
  snapshots: readonly Snapshot[],
  { place, instance }: StoreContentOptions,
): Promise<Finding[]> {
  if (place.includes('://')) return [];
  const { freeBytes } = await diskOf(place);
  const free = `${place} has ${sizeText(freeBytes)} free`;
  const newest = snapshots.filter(one => instance === null || one.instance === instance).at(-1);
  if (!newest)
    return [
      good(check, `${free}; the first backup needs about as much as home and database hold, compressed`),
    ];
  const holds = (newest.home?.bytes ?? 0) + (newest.database?.bytes ?? 0);
  const remedy = 'Make room, or let `stillpoint prune` forget more.';
  if (freeBytes < 64 * 1024 ** 2) return [bad(check, { found: free, remedy })];
  const beside = `${free}; the newest snapshot holds ${sizeText(holds)}`;
  return [freeBytes < holds * freeShare ? warn(check, { found: beside, remedy }) : good(check, beside)];
}
