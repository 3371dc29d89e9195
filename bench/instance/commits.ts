import { git } from './git.ts';
import {
  encodeCommit,
  encodeObject,
  encodeTable,
  encodeTree,
  type FileTable,
  writeLooseObject,
} from './objects.ts';
import type { Dice } from './random.ts';

/** The end of a branch: its commit and the files of that commit's tree. */
export interface Tip {
  readonly commit: string;
  readonly files: FileTable;
}

const filesMax = 48;
const author = 'Stand-in <stand-in@example.invalid>';

/**
 * Writes one commit on top of a tip (or a root commit) as loose objects, as an unpacked push leaves them: one file new
 * or changed, its tree, the commit. No ref moves.
 */
export function writeCommit(
  repository: string,
  parent: Tip | null,
  change: {
    readonly dice: Dice;
    readonly atSeconds: number;
    readonly message: string;
    readonly bytes?: number;
  },
): Tip {
  const { dice, atSeconds, message } = change;
  const files = new Map(parent?.files);
  const name = `file-${String(dice.below(filesMax)).padStart(2, '0')}.ts`;
  const blob = encodeObject('blob', Buffer.from(`// ${message}\n${dice.text(change.bytes ?? 900)}`));
  files.set(name, blob.id);
  const tree = encodeTable(files);
  const parents = parent ? [parent.commit] : [];
  const commit = encodeCommit({ tree: tree.id, parents, author, atSeconds, message });
  for (const object of [blob, tree, commit]) writeLooseObject(repository, object);
  return { commit: commit.id, files };
}

/** Writes a root commit with `blobs` files in folders of 100, all of them loose: a large unpacked import. */
export function writeImport(
  repository: string,
  options: { readonly dice: Dice; readonly atSeconds: number; readonly blobs: number },
): string {
  const folders = [];
  for (let from = 0; from < options.blobs; from += 100) {
    const files = new Map<string, string>();
    for (let n = from; n < Math.min(from + 100, options.blobs); n += 1) {
      const blob = encodeObject('blob', Buffer.from(`${n}\n${options.dice.text(300)}`));
      writeLooseObject(repository, blob);
      files.set(`import-${n}.txt`, blob.id);
    }
    const tree = encodeTable(files);
    writeLooseObject(repository, tree);
    folders.push({ mode: '40000', name: `part-${from / 100}`, id: tree.id } as const);
  }
  const root = encodeTree(folders);
  const facts = { parents: [], author, atSeconds: options.atSeconds, message: 'Import' };
  const commit = encodeCommit({ tree: root.id, ...facts });
  for (const object of [root, commit]) writeLooseObject(repository, object);
  return commit.id;
}

/** The tip of a commit that somebody else wrote. */
export async function readTip(repository: string, commit: string): Promise<Tip> {
  const listed = await git(['ls-tree', '-z', commit], { cwd: repository });
  const files = new Map<string, string>();
  for (const line of listed.split('\0')) {
    const match = /^100644 blob ([0-9a-f]{40})\t(.+)$/s.exec(line);
    if (match) files.set(match[2]!, match[1]!);
  }
  return { commit, files };
}
