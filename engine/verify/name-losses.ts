import {
  type Content,
  type Entry,
  type ListingRoot,
  readListing,
  StillpointError,
  type VerifyResult,
} from '../../store/index.ts';
import { kindOf } from '../database/index.ts';
import { decodeHomeEntry, shown } from '../home/index.ts';
import { rootsOf } from '../look/index.ts';
import type { Snapshot } from '../pair.ts';
import type { Losses } from './losses.ts';
import { repositoryNames } from './repository-names.ts';

export const nameOf = (snapshot: Snapshot) => `snapshot ${snapshot.id.slice(0, 8)} of ${snapshot.instance}`;

/** What a person calls an entry, and the repository that it lies in. */
interface Described {
  readonly name: string;
  readonly repository?: string | undefined;
}

/** Traces every file and table of a snapshot to the damaged objects that it is lost with. */
export async function nameLosses(
  snapshot: Snapshot,
  { checked, losses }: { readonly checked: VerifyResult; readonly losses: Losses },
): Promise<void> {
  const add = (object: string, described: Described) =>
    losses.add(object, { snapshot: nameOf(snapshot), ...described });
  for (const root of rootsOf(snapshot)) {
    const repositoryOf = repositoryNames(checked.source, root);
    const describe = async (entry: Entry): Promise<Described> => {
      const { path } = decodeHomeEntry(entry);
      return { name: shown(path), repository: await repositoryOf(path) };
    };
    await nameListing(root.listing, { checked, add, what: 'home', describe });
  }
  const { database } = snapshot;
  if (!database || database.type === 'unknown') return;
  const kind = kindOf(database);
  const describe = async (entry: Entry): Promise<Described> => ({ name: kind.describeEntry(entry) });
  await nameListing(database.listing, { checked, add, what: 'database', describe });
}

interface ListingSearch {
  readonly checked: VerifyResult;
  readonly add: (object: string, described: Described) => void;
  readonly what: string;
  readonly describe: (entry: Entry) => Promise<Described>;
}

async function nameListing(
  listing: ListingRoot,
  { checked, add, what, describe }: ListingSearch,
): Promise<void> {
  let last: Entry | undefined;
  try {
    for await (const entry of readListing(checked.source, listing)) {
      last = entry;
      const objects = new Set<string>();
      for (const content of entry.contents) {
        for (const object of await culpritsOf(content, checked)) objects.add(object);
      }
      if (objects.size === 0) continue;
      const described = await describe(entry);
      for (const object of objects) add(object, described);
    }
  } catch (error) {
    if (!(error instanceof StillpointError)) throw error;
    const objects = await checked.culprits({ id: listing.id, kind: 'node' });
    const after = last ? (await describe(last)).name : '';
    for (const object of objects)
      add(object, { name: `${what}: all after ${after || 'its beginning'}, its listing is damaged` });
  }
}

async function culpritsOf(content: Content, { culprits }: VerifyResult): Promise<readonly string[]> {
  if ('list' in content) return culprits({ id: content.list, kind: 'node' });
  const found: string[] = [];
  for (const extent of content.extents) {
    if (extent.kind === 'chunk') found.push(...(await culprits({ id: extent.id, kind: 'data' })));
  }
  return found;
}
