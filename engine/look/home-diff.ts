import { type ChunkSource, diffListings, type Entry, readListing, sameContent } from '../../store/index.ts';
import { decodeHomeEntry, type HomeEntry } from '../home/entries/entry.ts';
import { type BytePath, bytePath } from '../home/paths.ts';
import type { Snapshot } from '../pair.ts';
import { rootsOf, type StoredRoot } from './address.ts';
import { type RefChange, refsBetween } from './refs.ts';
import { repositoryFolders } from './repositories.ts';

/** What of an entry may differ beside what it holds. */
export type MetadataField = 'mode' | 'owner' | 'mtime' | 'attributes' | 'links';

/** Something of the home that is not as it was. */
export interface EntryChange {
  /** `content` also means where a link leads; `kind`: a file became a link, and the like. */
  readonly how: 'added' | 'removed' | 'content' | 'metadata' | 'kind';
  readonly root: StoredRoot;
  readonly before?: HomeEntry | undefined;
  readonly after?: HomeEntry | undefined;
  /** What differs beside the content. */
  readonly fields: readonly MetadataField[];
}

interface Sides {
  readonly before: Snapshot;
  readonly after: Snapshot;
}

/** A repository whose refs may have moved. */
interface Touched {
  readonly root: StoredRoot;
  readonly folder: BytePath;
}

/** What differs between the homes of two snapshots: first the entries, then the refs of repositories among them. */
export class HomeDifference {
  readonly #source: ChunkSource;
  readonly #sides: Sides;
  readonly #touched = new Map<string, Touched>();

  constructor(source: ChunkSource, sides: Sides) {
    this.#source = source;
    this.#sides = sides;
  }

  /** In the order of the listings. What both have in common is not read. */
  async *entries(): AsyncGenerator<EntryChange> {
    for (const { before, after } of pairsOf(this.#sides)) {
      const root = (after ?? before)!;
      for await (const pair of differences(this.#source, { before, after })) {
        const change = changeOf(root, pair);
        this.#touch(root, (pair.after ?? pair.before)!.key);
        if (change) yield change;
      }
    }
  }

  /** Refs that moved, were made or deleted. Complete once all entries have been taken. */
  async *refs(): AsyncGenerator<RefChange> {
    const pairs = pairsOf(this.#sides);
    for (const { root, folder } of this.#touched.values()) {
      const pair = pairs.find(({ before, after }) => (after ?? before) === root)!;
      yield* refsBetween(this.#source, { ...pair, folder });
    }
  }

  #touch(root: StoredRoot, key: Uint8Array): void {
    const folder = repositoryWithRef(root, bytePath(key).slice(1));
    if (folder === undefined) return;
    const name = `${root.isHome ? '' : bytePath(root.path)}\0${folder}`;
    if (!this.#touched.has(name)) this.#touched.set(name, { root, folder });
  }
}

/** The repository's folder, if the path is that of something that says where refs point to. */
function repositoryWithRef(root: StoredRoot, path: string): BytePath | undefined {
  for (const start of repositoryFolders(root)) {
    if (!path.startsWith(`${start}/`)) continue;
    const slash = path.indexOf('/', start.length + 1);
    if (slash < 0) return undefined;
    const inside = path.slice(slash + 1);
    const isRef = inside === 'HEAD' || inside === 'packed-refs' || inside.startsWith('refs/');
    return isRef ? (path.slice(0, slash) as BytePath) : undefined;
  }
  return undefined;
}

interface RootPair {
  readonly before?: StoredRoot | undefined;
  readonly after?: StoredRoot | undefined;
}

/** The homes are one pair wherever they lay; data stores are paired by their paths. */
function pairsOf({ before, after }: Sides): RootPair[] {
  if (!before.home || !after.home) return []; // one of them is a backup of the database alone
  const [old, now] = [rootsOfOnce(before), rootsOfOnce(after)];
  const partner = (root: StoredRoot, others: readonly StoredRoot[]) =>
    others.find(one => (root.isHome ? one.isHome : !one.isHome && Buffer.compare(one.path, root.path) === 0));
  const paired = now.map(root => {
    const other = partner(root, old);
    return other ? { before: other, after: root } : { after: root };
  });
  return [...paired, ...old.filter(root => !partner(root, now)).map(root => ({ before: root }))];
}

const known = new WeakMap<Snapshot, readonly StoredRoot[]>();

function rootsOfOnce(snapshot: Snapshot): readonly StoredRoot[] {
  const roots = known.get(snapshot) ?? rootsOf(snapshot);
  known.set(snapshot, roots);
  return roots;
}

interface EntryPair {
  readonly before?: Entry | undefined;
  readonly after?: Entry | undefined;
}

async function* differences(source: ChunkSource, { before, after }: RootPair): AsyncGenerator<EntryPair> {
  if (before && after) yield* diffListings(source, { before: before.listing, after: after.listing });
  else if (before) for await (const entry of readListing(source, before.listing)) yield { before: entry };
  else if (after) for await (const entry of readListing(source, after.listing)) yield { after: entry };
}

/** Undefined where nothing differs that a restore would bring back. */
function changeOf(root: StoredRoot, pair: EntryPair): EntryChange | undefined {
  const before = pair.before && decodeHomeEntry(pair.before);
  const after = pair.after && decodeHomeEntry(pair.after);
  if (!before || !after) return { how: after ? 'added' : 'removed', root, before, after, fields: [] };
  if (before.kind !== after.kind) return { how: 'kind', root, before, after, fields: [] };
  const fields = fieldsOf(before, after);
  if (!isSameInside(before, after)) return { how: 'content', root, before, after, fields };
  return fields.length > 0 ? { how: 'metadata', root, before, after, fields } : undefined;
}

function isSameInside(a: HomeEntry, b: HomeEntry): boolean {
  if (a.content && b.content && !sameContent(a.content, b.content)) return false;
  return a.target === b.target && a.device?.major === b.device?.major && a.device?.minor === b.device?.minor;
}

function fieldsOf(a: HomeEntry, b: HomeEntry): MetadataField[] {
  const fields: MetadataField[] = [];
  if (a.mode !== b.mode) fields.push('mode');
  if (a.uid !== b.uid || a.gid !== b.gid) fields.push('owner');
  // a folder's time only says that something in it came or went
  if (a.mtimeNs !== b.mtimeNs && a.kind !== 'folder') fields.push('mtime');
  if (JSON.stringify(a.xattrs) !== JSON.stringify(b.xattrs)) fields.push('attributes');
  if (a.linked !== b.linked) fields.push('links');
  return fields;
}
