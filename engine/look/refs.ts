import type { ChunkSource, Content } from '../../store/index.ts';
import { type BytePath, bytePath } from '../home/paths.ts';
import { contentBytes } from '../ingest/index.ts';
import type { StoredRoot } from './address.ts';
import { findBelow } from './find.ts';
import { folderEntries } from './folder.ts';

/** A ref that moved, was made (null before) or deleted (null after). HEAD may hold `ref: …` rather than a hash. */
export interface RefChange {
  readonly root: StoredRoot;
  /** The repository's folder below the root. */
  readonly folder: BytePath;
  readonly ref: BytePath;
  readonly before: BytePath | null;
  readonly after: BytePath | null;
}

/** What differs between the refs of a repository at two times, in the order of their names. */
export async function* refsBetween(
  source: ChunkSource,
  {
    before,
    after,
    folder,
  }: {
    readonly before?: StoredRoot | undefined;
    readonly after?: StoredRoot | undefined;
    readonly folder: BytePath;
  },
): AsyncGenerator<RefChange> {
  const root = (after ?? before)!;
  const [old, now] = [await refsOf(source, before, folder), await refsOf(source, after, folder)];
  for (const ref of [...new Set([...old.keys(), ...now.keys()])].sort()) {
    const [was, is] = [old.get(ref) ?? null, now.get(ref) ?? null];
    if (was !== is) yield { root, folder, ref, before: was, after: is };
  }
}

type Refs = Map<BytePath, BytePath>;

/** As Git reads them: a loose ref hides a packed one. Only one repository's are in memory. */
async function refsOf(source: ChunkSource, root: StoredRoot | undefined, folder: BytePath): Promise<Refs> {
  const refs: Refs = new Map();
  if (!root) return refs;
  const textAt = async (name: string): Promise<string> => {
    const entry = await findBelow(source, { root, path: `${folder}/${name}` as BytePath });
    return entry?.content ? textOf(source, entry.content) : '';
  };
  for (const line of (await textAt('packed-refs')).split('\n')) {
    const [, hash, ref] = /^([0-9a-f]{40,64}) (\S.*)$/.exec(line) ?? [];
    if (hash && ref) refs.set(ref as BytePath, hash as BytePath);
  }
  const loose = { listing: root.listing, folder: `${folder}/refs` as BytePath, isDeep: true };
  for await (const { path, content } of folderEntries(source, loose)) {
    if (!content || content.length > refBytesMax || path.endsWith('.lock')) continue;
    const value = (await textOf(source, content)).trimEnd();
    refs.set(path.slice(folder.length + 1) as BytePath, value as BytePath);
  }
  const head = (await textAt('HEAD')).trimEnd();
  if (head !== '') refs.set('HEAD' as BytePath, head as BytePath);
  return refs;
}

/** A loose ref is a hash, or names another ref. */
const refBytesMax = 8_192;

/** All packed refs of a repository: some million. */
const refsBytesMax = 256 * 1024 * 1024;

const textOf = async (source: ChunkSource, content: Content): Promise<string> =>
  bytePath(await contentBytes(source, content, { bytesMax: refsBytesMax }));
