import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { type Libc, loadLibc } from '../../engine/home/system/libc.ts';

const bytes = (root: string, name: string): Buffer =>
  Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name, 'latin1')]);

/** The libc calls; a test that needs them and runs without koffi must fail, not pass. */
export async function needLibc(): Promise<Libc> {
  const loaded = await loadLibc();
  if (!loaded.libc) throw new Error(`these tests need koffi: ${loaded.reason}`);
  return loaded.libc;
}

export const isRoot = process.geteuid?.() === 0;

/** True when the file system of this folder takes attributes of users. */
export async function takesXattrs(folder: string): Promise<boolean> {
  const libc = await needLibc();
  try {
    libc.setXattr(Buffer.from(folder), { name: Buffer.from('user.stillpoint'), value: Buffer.from('1') });
    return true;
  } catch {
    return false;
  }
}

/** Puts one of every kind into root: hostile names, links, holes, attributes, times before 1970 and after 2038. */
export async function everyKind(root: string): Promise<void> {
  const libc = await needLibc();
  mkdirSync(root, { recursive: true });
  const file = (name: string, content: string | Uint8Array = name): void =>
    writeFileSync(bytes(root, name), content);
  const folder = (name: string): void => void mkdirSync(bytes(root, name));

  for (const name of ['empty', 'a', 'a-b', 'a.txt', 'a b', 'zz']) folder(name);
  for (const name of ['a-b.txt', 'a.d', 'a!', 'aa', 'b', '-rf', '...', ' ', '\\', '*', '#x', '!x', '~'])
    file(name);
  file('new\nline');
  file('\x01\x7f\x1b[31m');
  file('caf\xc3\xa9'); // UTF-8
  file('caf\xe9'); // Latin-1: no UTF-8
  folder('\xff\xfe');
  file('\xff\xfe/\x80');
  file('n'.repeat(255));
  file('a/zero', '');
  file('a/ref', `${'1'.repeat(40)}\n`);
  file('a/128', 'x'.repeat(128));
  file('a/129', 'y'.repeat(129));
  file('a/large', pseudoRandom(3_000_000));
  file('a/chunk', pseudoRandom(512 * 1024));
  deep(root);

  symlinkSync('a/ref', bytes(root, 'link'));
  symlinkSync(Buffer.from('n\xf6where\n', 'latin1'), bytes(root, 'dangling'));
  symlinkSync('loop', bytes(root, 'loop'));
  symlinkSync('..', bytes(root, 'a/up'));
  symlinkSync('/etc/passwd', bytes(root, 'absolute'));
  linkSync(bytes(root, 'a/large'), bytes(root, 'zz/hard'));
  linkSync(bytes(root, 'a/large'), bytes(root, 'a/hard'));
  linkSync(bytes(root, 'a/ref'), bytes(root, 'empty-ref'));
  linkSync(bytes(root, 'dangling'), bytes(root, 'dangling-2'));
  sparse(bytes(root, 'sparse'), { size: 5_000_000, data: [0, 2_000_000] });
  sparse(bytes(root, 'hole'), { size: 100, data: [] });
  sparse(bytes(root, 'tail-hole'), { size: 1_048_576, data: [0] });
  preallocated(root);

  const here = openSync(root, 'r');
  libc.makeNodeAt(here, Buffer.from('fifo'), { mode: 0o010640, device: 0n });
  if (process.geteuid?.() === 0) {
    libc.makeNodeAt(here, Buffer.from('null'), { mode: 0o020666, device: 0x103n });
    libc.makeNodeAt(here, Buffer.from('disk'), { mode: 0o060600, device: 0x12345678n });
    for (const [name, id] of [
      ['b', 1234],
      ['link', 4321],
      ['fifo', 77],
    ] as const)
      lchownSync(bytes(root, name), id, id + 1);
  }
  closeSync(here);
  if (await takesXattrs(root)) {
    libc.setXattr(bytes(root, 'b'), { name: Buffer.from('user.note'), value: Buffer.from([0, 255, 10]) });
    libc.setXattr(bytes(root, 'b'), { name: Buffer.from('user.\xff', 'latin1'), value: Buffer.alloc(0) });
    libc.setXattr(bytes(root, 'a'), { name: Buffer.from('user.folder'), value: Buffer.alloc(1000, 7) });
  }
  for (const [name, mode] of [
    ['b', 0o4711],
    ['aa', process.getuid?.() === 0 ? 0o000 : 0o400], // only root reads what nobody may
    ['a-b', 0o2770],
    ['zz', 0o1777],
    ['fifo', 0o606],
    ['a b', 0o555],
  ] as const) {
    chmodSync(bytes(root, name), mode);
  }
  times(root, libc);
}

/** Bytes that do not compress and are the same on every run. */
export function pseudoRandom(length: number, seed = 1): Uint8Array {
  const out = new Uint32Array(Math.ceil(length / 4));
  let state = seed | 1;
  for (let i = 0; i < out.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    out[i] = state;
  }
  return new Uint8Array(out.buffer, 0, length);
}

/** A file with data at these offsets, one block each, and holes everywhere else. */
export function sparse(
  path: Buffer | string,
  { size, data }: { size: number; data: readonly number[] },
): void {
  const fd = openSync(path, 'w');
  for (const offset of data) writeSync(fd, Buffer.alloc(4096, 'd'), 0, 4096, offset);
  ftruncateSync(fd, size);
  closeSync(fd);
}

function preallocated(root: string): void {
  // blocks without data: the file system says hole although st_blocks says full
  execFileSync('fallocate', ['-l', '200000', `${root}/preallocated`]);
}

/** A path of 4,000 bytes below the root's own. */
function deep(root: string): void {
  let path = root;
  const name = 'd'.repeat(250);
  while (path.length + 1 + name.length < 4_000) {
    path += `/${name}`;
    mkdirSync(path);
  }
  writeFileSync(`${path}/${'f'.repeat(Math.max(1, 3_999 - path.length))}`, 'deep');
}

function times(root: string, libc: Libc): void {
  const here = openSync(root, 'r');
  const set = (name: string, ns: bigint): void => libc.setTimeAt(here, Buffer.from(name, 'latin1'), ns);
  set('b', 1_600_000_000_123_456_789n);
  set('aa', -1_500_000_001n);
  set('link', 1_111_111_111_000_000_001n);
  set('fifo', 4_294_967_296_999_999_999n);
  set('a', 987_654_321_987_654_321n);
  set('\xff\xfe', 999_999_999n);
  closeSync(here);
}
