import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync, constants, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { type Libc, loadLibc } from '../../engine/home/system/libc.ts';

/** What two equal trees agree in, for one of their paths. */
interface Fact {
  readonly kind: string;
  readonly mode: string;
  readonly owner: string;
  readonly mtimeNs: string;
  readonly size: string | undefined;
  /** SHA-256 of the bytes that are not in holes, each run behind its offset. */
  readonly content: string | undefined;
  readonly holes: string | undefined;
  readonly target: string | undefined;
  readonly device: string | undefined;
  readonly xattrs: string;
  /** All names of the file within the tree, when there are several. */
  links: string | undefined;
}

export interface CompareOptions {
  /** Paths below the root, one character a byte, without a slash at either end; a folder stands for all in it. */
  readonly ignore?: readonly string[];
  readonly owners?: boolean;
  /** The root folder's own times: probes change them. */
  readonly rootTimes?: boolean;
}

/** Fails unless two folder trees are equal in names, kinds, bytes, modes, owners, times (ns), links, attributes and holes. */
export async function assertEqualHomes(
  left: string,
  right: string,
  options: CompareOptions = {},
): Promise<void> {
  const [a, b] = [await factsOf(left, options), await factsOf(right, options)];
  assert.deepEqual([...b.keys()], [...a.keys()], 'the trees have the same names');
  for (const [path, fact] of a) assert.deepEqual({ path, ...b.get(path) }, { path, ...fact });
}

async function factsOf(root: string, options: CompareOptions): Promise<Map<string, Fact>> {
  const loaded = await loadLibc();
  assert(loaded.libc, 'comparing homes needs koffi');
  const facts = new Map<string, Fact>();
  const names = new Map<string, string[]>();
  collect('', { root, libc: loaded.libc, facts, names, options });
  for (const group of names.values()) {
    if (group.length > 1) for (const path of group) facts.get(path)!.links = group.sort().join('\n');
  }
  return new Map([...facts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

interface Collecting {
  readonly root: string;
  readonly libc: Libc;
  readonly facts: Map<string, Fact>;
  readonly names: Map<string, string[]>;
  readonly options: CompareOptions;
}

function collect(path: string, work: Collecting): void {
  const { root, libc, facts, names, options } = work;
  if (options.ignore?.includes(path)) return;
  const full = Buffer.concat([Buffer.from(root), Buffer.from(path === '' ? '' : `/${path}`, 'latin1')]);
  const stats = lstatSync(full, { bigint: true });
  const isFile = stats.isFile();
  const kind = Number(stats.mode & 0o170000n).toString(8);
  const data = isFile ? dataOf(full, Number(stats.size), libc) : undefined;
  const device = stats.isBlockDevice() || stats.isCharacterDevice();
  facts.set(path, {
    kind,
    mode: Number(stats.mode & 0o7777n).toString(8),
    owner: options.owners === false ? '' : `${stats.uid}:${stats.gid}`,
    mtimeNs: path === '' && options.rootTimes === false ? '' : String(stats.mtimeNs),
    size: isFile ? String(stats.size) : undefined,
    content: data?.content,
    holes: data?.holes,
    target: stats.isSymbolicLink() ? readlinkSync(full, { encoding: 'latin1' }) : undefined,
    device: device ? String(stats.rdev) : undefined,
    xattrs: xattrsOf(full, libc),
    links: undefined,
  });
  if (stats.nlink > 1n && !stats.isDirectory()) {
    const key = `${stats.dev}:${stats.ino}`;
    names.set(key, [...(names.get(key) ?? []), path]);
  }
  if (!stats.isDirectory()) return;
  for (const name of readdirSync(full, { encoding: 'latin1' })) {
    collect(path === '' ? name : `${path}/${name}`, work);
  }
}

function xattrsOf(full: Buffer, libc: Libc): string {
  return libc
    .listXattrs(full)
    .map(name => `${Buffer.from(name)}=${Buffer.from(libc.getXattr(full, name) ?? []).toString('hex')}`)
    .sort()
    .join('\n');
}

function dataOf(full: Buffer, size: number, libc: Libc): { content: string; holes: string } {
  const fd = openSync(full, constants.O_RDONLY);
  try {
    const hash = createHash('sha256');
    const holes: string[] = [];
    const buffer = Buffer.alloc(1 << 20);
    for (let at = 0; at < size; ) {
      const data = libc.seekData(fd, at) ?? size;
      if (data > at) holes.push(`${at}-${data}`);
      const end = data < size ? (libc.seekHole(fd, data) ?? size) : size;
      hash.update(`${data}:`);
      for (at = data; at < end; ) {
        const read = readSync(fd, buffer, 0, Math.min(buffer.length, end - at), at);
        assert(read > 0, 'a file shrank while it was compared');
        hash.update(buffer.subarray(0, read));
        at += read;
      }
      at = end;
    }
    return { content: hash.digest('hex'), holes: holes.join(' ') };
  } finally {
    closeSync(fd);
  }
}
