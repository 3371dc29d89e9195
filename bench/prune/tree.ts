import { createCipheriv } from 'node:crypto';
import {
  type BackupSession,
  type ChunkId,
  ListingBuilder,
  type ListingRoot,
  type SnapshotId,
  type Store,
  storeExtents,
} from '../../store/index.ts';

/** A home of small files, some of which change from one state to the next; the same numbers make the same bytes. */
export interface TreePlan {
  readonly files: number;
  readonly changedPerState: number;
  readonly bytesMax: number;
}

/** The version of every file in every state, as states follow each other. */
export class Tree {
  readonly #plan: TreePlan;
  readonly #versions: Uint16Array;
  #state = 0;

  constructor(plan: TreePlan) {
    this.#plan = plan;
    this.#versions = new Uint16Array(plan.files);
  }

  get files(): number {
    return this.#plan.files;
  }

  /** The next state. */
  advance(changed = this.#plan.changedPerState): void {
    this.#state += 1;
    for (let i = 0; i < changed; i++) {
      const file = Math.floor(chance(this.#state * 1_000_003 + i) * this.#plan.files);
      this.#versions[file] = this.#state;
    }
  }

  contentOf(file: number): Buffer {
    const version = this.#versions[file]!;
    const length = 100 + Math.floor(chance(file * 31 + version * 7_919) * this.#plan.bytesMax);
    const key = Buffer.alloc(16);
    key.writeUInt32LE(file, 0);
    key.writeUInt32LE(version, 4);
    return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
  }

  versionOf(file: number): number {
    return this.#versions[file]!;
  }
}

/** A number from 0 to below 1 (mulberry32). */
export function chance(seed: number): number {
  const state = (seed + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

/** What was stored of each file, so that what did not change is not made again. */
export type Known = Map<number, { readonly version: number; readonly id: ChunkId; readonly length: number }>;

export interface CommitOptions {
  readonly known: Known;
  /** Called after each file, for who wants to take its time. */
  readonly pace?: (file: number) => Promise<void>;
}

/** Commits the tree's state as one listing. */
export async function commitTree(store: Store, tree: Tree, options: CommitOptions): Promise<SnapshotId> {
  await using session = await store.beginBackup({ host: 'bench' });
  const root = await storeTree(session, { store, tree, ...options });
  return await session.commit({ roots: [{ id: root.id, kind: 'node' }], body: null });
}

async function storeTree(
  session: BackupSession,
  { store, tree, known, pace }: CommitOptions & { readonly store: Store; readonly tree: Tree },
): Promise<ListingRoot> {
  const builder = new ListingBuilder(session, store.cuts.nodes);
  const body = Buffer.from([0x58, 60, ...Buffer.alloc(60, 7)]);
  for (let file = 0; file < tree.files; file++) {
    const { id, length } = await storeFile(session, { tree, known, file });
    const contents = [
      await storeExtents(session, store.cuts.nodes, [{ kind: 'chunk', id, offset: 0, length }]),
    ];
    const number = String(file).padStart(7, '0');
    await builder.add({ key: Buffer.from(`folder-${number.slice(0, 4)}/file-${number}`), body, contents });
    await pace?.(file);
  }
  return builder.finish();
}

async function storeFile(
  session: BackupSession,
  { tree, known, file }: { readonly tree: Tree; readonly known: Known; readonly file: number },
): Promise<{ readonly id: ChunkId; readonly length: number }> {
  const found = known.get(file);
  if (found?.version === tree.versionOf(file) && session.has(found.id, 'data')) return found;
  const bytes = tree.contentOf(file);
  const made = { version: tree.versionOf(file), id: await session.put(bytes, 'data'), length: bytes.length };
  known.set(file, made);
  return made;
}
