import { type ChunkSource, isStoreError } from '../../store/index.ts';
import type { BytePath } from '../home/index.ts';
import { contentBytes } from '../ingest/index.ts';
import { findBelow, printable, repositoryFolders, type StoredRoot } from '../look/index.ts';

/** What is written into each bare repository by the application that it is of. */
const configName = 'repository-config';
const configBytesMax = 64 * 1024;

/** Says of a path which repository it lies in: `repository 12 (PROJECT/slug)`, by what its own configuration says. */
export function repositoryNames(
  source: ChunkSource,
  root: StoredRoot,
): (path: BytePath) => Promise<string | undefined> {
  const folders = repositoryFolders(root).map(folder => `${folder}/`);
  let last: { readonly folder: string; readonly name: string } | undefined;
  return async path => {
    const start = folders.find(folder => path.startsWith(folder));
    if (start === undefined) return undefined;
    const [id] = path.slice(start.length).split('/');
    if (!id) return undefined;
    const folder = `${start}${id}`;
    if (last?.folder !== folder) {
      const title = await titleOf(source, { root, path: `${folder}/${configName}` as BytePath });
      const name = `repository ${printable(id as BytePath)}${title === undefined ? '' : ` (${title})`}`;
      last = { folder, name };
    }
    return last.name;
  };
}

/** Undefined where it is not there, or is damaged itself. */
async function titleOf(
  source: ChunkSource,
  place: { readonly root: StoredRoot; readonly path: BytePath },
): Promise<string | undefined> {
  try {
    const file = await findBelow(source, place);
    if (!file?.content || file.content.length > configBytesMax) return undefined;
    const text = Buffer.from(await contentBytes(source, file.content, { bytesMax: configBytesMax })).toString(
      'utf8',
    );
    const value = (key: string) => new RegExp(`^[ \\t]*${key}[ \\t]*=[ \\t]*(\\S+)`, 'm').exec(text)?.[1];
    const slug = value('repository') ?? value('slug');
    const project = value('project');
    return slug && project ? `${project}/${slug}` : slug;
  } catch (error) {
    if (isStoreError(error)) return undefined;
    throw error;
  }
}
