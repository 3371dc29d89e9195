import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';

/** A Git object, ready to be written as a loose file. */
export interface GitObject {
  /** 40 hex digits. */
  readonly id: string;
  readonly deflated: Uint8Array;
}

/** The files of a flat tree: name → blob id. */
export type FileTable = ReadonlyMap<string, string>;

export interface TreeEntry {
  readonly mode: '100644' | '40000';
  readonly name: string;
  readonly id: string;
}

export interface CommitFacts {
  readonly tree: string;
  readonly parents: readonly string[];
  readonly author: string;
  readonly atSeconds: number;
  readonly message: string;
}

export function encodeObject(type: 'blob' | 'tree' | 'commit', body: Uint8Array): GitObject {
  const raw = Buffer.concat([Buffer.from(`${type} ${body.length}\0`), body]);
  const id = createHash('sha1').update(raw).digest('hex');
  return { id, deflated: deflateSync(raw, { level: 1 }) }; // git's own level for loose objects
}

export function encodeTree(entries: readonly TreeEntry[]): GitObject {
  // Git sorts a folder as if its name ended in a slash.
  const keyed = entries.map(entry => ({ entry, key: entry.name + (entry.mode === '40000' ? '/' : '') }));
  keyed.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  const parts = keyed.flatMap(({ entry }) => [
    Buffer.from(`${entry.mode} ${entry.name}\0`),
    Buffer.from(entry.id, 'hex'),
  ]);
  return encodeObject('tree', Buffer.concat(parts));
}

export function encodeTable(files: FileTable): GitObject {
  return encodeTree([...files].map(([name, id]) => ({ mode: '100644', name, id })));
}

export function encodeCommit(facts: CommitFacts): GitObject {
  const who = `${facts.author} ${facts.atSeconds} +0000`;
  const lines = [
    `tree ${facts.tree}`,
    ...facts.parents.map(parent => `parent ${parent}`),
    `author ${who}`,
    `committer ${who}`,
    '',
    facts.message,
    '',
  ];
  return encodeObject('commit', Buffer.from(lines.join('\n')));
}

let written = 0;

/** Writes the object as Git does: under a temporary name in its folder, read-only, then renamed. */
export function writeLooseObject(repository: string, object: GitObject): void {
  const folder = join(repository, 'objects', object.id.slice(0, 2));
  const path = join(folder, object.id.slice(2));
  if (existsSync(path)) return;
  written += 1;
  const temporary = join(folder, `tmp_obj_${process.pid.toString(36)}${written.toString(36)}`);
  for (let attempt = 1; ; attempt += 1) {
    try {
      writeFileSync(temporary, object.deflated, { mode: 0o444, flag: 'wx' });
      renameSync(temporary, path);
      return;
    } catch (error) {
      // The folder is not there yet, or a repack has just removed it because it was empty.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === 10) throw error;
      mkdirSync(folder, { recursive: true });
    }
  }
}
