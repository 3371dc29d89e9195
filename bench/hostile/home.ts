import { type EntryKind, encodeHomeEntry, type HomeEntry, keyOf } from '../../engine/home/entries/entry.ts';
import type { BytePath } from '../../engine/home/paths.ts';
import {
  type ChunkId,
  type Content,
  decodeCbor,
  type Entry,
  type Extent,
  encodeCbor,
  type ListingRoot,
} from '../../store/index.ts';
import { encodeNode } from '../../store/listing/encode.ts';
import type { Branch, Node } from '../../store/listing/node.ts';
import type { RawChunks } from './chunks.ts';
import type { Random } from './random.ts';
import type { Sandbox } from './sandbox.ts';
import { edges, mutated } from './values.ts';

export interface CaseMakers {
  readonly random: Random;
  readonly chunks: RawChunks;
  readonly sandbox: Pick<Sandbox, 'outside'>;
}

const names = [
  ...[
    'a',
    'b',
    'c',
    'folder',
    'file',
    'lost+found',
    'shared',
    'bitbucket.properties',
    '.stillpoint-restore-unfinished',
  ],
  ...[
    '.',
    '..',
    '',
    'a\0b',
    '...',
    'x'.repeat(255),
    'x'.repeat(256),
    '\x1b]0;title\x07',
    'new\nline',
    '-rf',
    '\xff\xfe',
  ],
];

const kinds: readonly EntryKind[] = [
  'file',
  'file',
  'file',
  'folder',
  'folder',
  'link',
  'fifo',
  'characterDevice',
];

function someName(random: Random): string {
  return random.chance(0.96) ? random.pick(['a', 'b', 'c', 'folder', 'file']) : random.pick(names);
}

/** An entry as a listing has it; most of them could be real. */
function someEntry(make: CaseMakers): HomeEntry {
  const { random, sandbox } = make;
  const depth = 1 + random.below(random.chance(0.1) ? 12 : 3);
  const path = Array.from({ length: depth }, () => someName(random)).join('/');
  const kind = random.pick(kinds);
  const id = () => (random.chance(0.98) ? (process.geteuid?.() ?? 0) : random.pick(edges));
  return {
    path: (random.chance(0.01) ? sandbox.outside : path) as BytePath,
    kind,
    mode: random.chance(0.98) ? random.pick([0o644, 0o755, 0o700, 0o4755, 0o7777, 0]) : random.pick(edges),
    uid: id(),
    gid: id(),
    mtimeNs: random.pick([0n, 1_700_000_000_000_000_000n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]),
    ctimeNs: 0n,
    inode: BigInt(random.below(3)),
    fileSystem: random.chance(0.95) ? 0 : random.pick(edges),
    xattrs: random.chance(0.93) ? [] : someXattrs(random),
    unsettled: false,
    linked: random.chance(0.3),
    target: kind === 'link' ? (someTarget(make) as BytePath) : undefined,
    device:
      kind === 'characterDevice'
        ? { major: random.pick([1, 5, 2 ** 32 - 1]), minor: random.pick([3, 2 ** 32 - 1]) }
        : undefined,
    content: kind === 'file' ? someContent(make) : undefined,
  };
}

function someTarget({ random, sandbox }: CaseMakers): string {
  if (random.chance(0.03)) return random.pick(['', 'x'.repeat(5_000), 'a\0b']);
  const { outside } = sandbox;
  return random.pick([outside, `${outside}/file`, `${outside}/folder`, '..', '../outside', '/', 'a', '.']);
}

function someXattrs(random: Random): HomeEntry['xattrs'] {
  const strange = ['system.x', 'x', '', 'user.\0', `user.${'x'.repeat(300)}`];
  return Array.from({ length: 1 + random.below(3) }, () => ({
    name: (random.chance(0.85)
      ? random.pick(['user.a', 'user.b', 'security.capability', 'trusted.x', 'system.posix_acl_access'])
      : random.pick(strange)) as BytePath,
    value: 'v'.repeat(random.chance(0.95) ? random.below(30) : 65_537) as BytePath,
  }));
}

/** Bytes of a file: whole, or with a lie about what is where and how much. */
export function someContent(make: CaseMakers): Content {
  const { random, chunks } = make;
  if (random.chance(0.15)) return someList(make);
  const extents = Array.from({ length: random.below(random.chance(0.1) ? 40 : 4) }, () =>
    someExtent(random, chunks),
  );
  return { length: 0, extents };
}

function someExtent(random: Random, chunks: RawChunks): Extent {
  const bytes = random.bytes(1 + random.below(50));
  switch (random.below(6)) {
    case 0:
      return { kind: 'hole', length: random.chance(0.8) ? 4_096 : random.pick(edges) };
    case 1:
    case 2:
      return {
        kind: 'inline',
        bytes: random.chance(0.98) ? bytes : Buffer.alloc(random.pick([0, 128, 129])),
      };
    default: {
      const id = random.chance(0.99)
        ? chunks.put(bytes, 'data')
        : (new Uint8Array(random.bytes(32)) as ChunkId);
      const isTrue = random.chance(0.97);
      return {
        kind: 'chunk',
        id,
        offset: isTrue ? 0 : random.pick(edges),
        length: isTrue ? bytes.length : random.pick(edges),
      };
    }
  }
}

/** An extent list, up to 24 levels, whose nodes name one another again and again. */
function someList({ random, chunks }: CaseMakers): Content {
  const leaf = random.chance(0.2)
    ? [{ kind: 'hole' as const, length: 1 + random.below(3) }]
    : Array.from({ length: 1 + random.below(4) }, () => someExtent(random, chunks));
  let length = leaf.reduce(
    (sum, extent) => sum + (extent.kind === 'inline' ? extent.bytes.length : extent.length),
    0,
  );
  let id = putNode(chunks, { kind: 'extents', level: 0, extents: leaf });
  const levels = random.below(random.chance(0.2) ? 25 : 3);
  for (let level = 1; level <= levels; level++) {
    const spans = Array.from({ length: 1 + random.below(5) }, () => ({
      node: random.chance(0.98) ? id : (new Uint8Array(random.bytes(32)) as ChunkId),
      length: random.chance(0.98) ? length : random.pick(edges),
    }));
    length = spans.reduce((sum, span) => sum + span.length, 0);
    if (!Number.isSafeInteger(length)) break;
    id = putNode(chunks, { kind: 'extents', level: random.chance(0.99) ? level : random.below(30), spans });
  }
  return {
    length: Number.isSafeInteger(length) && random.chance(0.95) ? length : random.pick(edges),
    list: id,
  };
}

/** A node as it is said to be, whether it can be or not; what has no encoding becomes an empty leaf. */
export function putNode(chunks: RawChunks, node: Node): ChunkId {
  let bytes: Uint8Array;
  try {
    bytes = encodeNode(node);
  } catch {
    bytes = encodeNode({ kind: 'listing', level: 0, entries: [] });
  }
  return chunks.put(bytes, 'metadata');
}

/** A home's listing: folders and files with hostile names, kinds and contents, in order and out of it. */
export function hostileHome(make: CaseMakers): ListingRoot {
  const { random, chunks } = make;
  const found = new Map<string, Entry>();
  const add = (entry: HomeEntry): void => {
    const made = rawEntry(random, entry);
    if (made && (random.chance(0.95) || !found.has(key(made)))) found.set(key(made), made);
  };
  const root = {
    ...someEntry(make),
    path: '' as BytePath,
    kind: 'folder' as const,
    content: undefined,
    mode: 0o755,
    linked: false,
  };
  if (random.chance(0.995))
    found.set(
      '2f',
      encodeHomeEntry({
        ...root,
        uid: process.geteuid?.() ?? 0,
        gid: process.getegid?.() ?? 0,
        xattrs: [],
        fileSystem: 0,
        target: undefined,
        device: undefined,
      }),
    );
  for (let left = 1 + random.below(10); left > 0; left--) {
    const entry = someEntry(make);
    const parts = entry.path.split('/');
    // Most have their folders: else a restore ends at once.
    if (random.chance(0.97))
      for (let depth = 1; depth < parts.length; depth++)
        add({ ...root, path: parts.slice(0, depth).join('/') as BytePath });
    add(entry);
  }
  const entries = [...found.values()];
  if (random.chance(0.99)) entries.sort((a, b) => Buffer.compare(a.key, b.key));
  else entries.reverse();
  if (random.chance(0.01)) entries.push(random.pick(entries));
  return putListing({ random, chunks }, entries);
}

const key = (entry: Entry): string => Buffer.from(entry.key).toString('hex');

/** As encodeHomeEntry makes it, and now and then with something else in its body or key. */
function rawEntry(random: Random, entry: HomeEntry): Entry | undefined {
  let made: Entry;
  try {
    made = encodeHomeEntry(entry);
  } catch {
    return undefined; // a number that no encoding has
  }
  const body = random.chance(0.97) ? made.body : encodeCbor(mutated(random, decodeCbor(made.body)));
  const madeKey = random.chance(0.995) ? made.key : keyOf(entry.path, random.pick(['file', 'folder']));
  return { key: madeKey, body, contents: made.contents };
}

/** Entries in leaves of a few, as a tree; with a lie here and there. */
export function putListing(
  { random, chunks }: Pick<CaseMakers, 'random' | 'chunks'>,
  entries: readonly Entry[],
): ListingRoot {
  const lie = (): boolean => random.chance(0.003);
  const perLeaf = random.pick([1, 2, 5, 100]);
  let branches: Branch[] = [];
  for (let at = 0; at === 0 || at < entries.length; at += perLeaf) {
    const some = entries.slice(at, at + perLeaf);
    const node = putNode(chunks, { kind: 'listing', level: 0, entries: some });
    const last = some.at(-1)?.key ?? Buffer.alloc(0);
    branches.push({
      key: lie() ? random.bytes(3) : last,
      node,
      entries: lie() ? random.pick(edges) : some.length,
    });
  }
  let level = 0;
  const levels = random.chance(0.05) ? random.below(26) : 0;
  while (branches.length > 1 || level < levels) {
    level++;
    if (lie()) branches.push(random.pick(branches));
    if (lie()) branches.reverse();
    const above: Branch[] = [];
    for (let at = 0; at < branches.length; at += 4) {
      const some = branches.slice(at, at + 4);
      const node = putNode(chunks, {
        kind: 'listing',
        level: lie() ? random.below(30) : level,
        branches: some,
      });
      above.push({
        key: some.at(-1)!.key,
        node,
        entries: some.reduce((sum, { entries: count }) => sum + count, 0),
      });
    }
    branches = above;
  }
  const [top] = branches;
  return {
    id: top!.node,
    level: lie() ? random.below(30) : level,
    entries: lie() ? random.pick(edges) : top!.entries,
  };
}
