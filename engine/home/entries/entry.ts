import {
  type CborValue,
  type Content,
  decodeCbor,
  type Entry,
  encodeCbor,
  type ListingRoot,
  storeError,
} from '../../../store/index.ts';
import { type BytePath, bytePath, bytesOf } from '../paths.ts';
import type { OwnerNames } from '../system/owners.ts';
import type { Xattr } from '../system/xattrs.ts';

export type EntryKind = 'file' | 'folder' | 'link' | 'fifo' | 'characterDevice' | 'blockDevice';

/** Their place is their number in the format. */
export const entryKinds: readonly EntryKind[] = [
  'file',
  'folder',
  'link',
  'fifo',
  'characterDevice',
  'blockDevice',
];

/** A file system that a root spans; entries name it by its place in the list. */
export interface EntryFileSystem {
  readonly type: string;
  /** The same across mounts and machines; null: no later run may trust a state recorded on it. */
  readonly id: string | null;
}

/** One stored folder tree. */
export interface HomeRoot {
  /** Absolute, as bytes. */
  readonly path: Uint8Array;
  readonly listing: ListingRoot;
}

/** One file, folder or other thing of a home, as a listing holds it. */
export interface HomeEntry {
  /** Below the root, without a slash at either end; empty for the root folder itself. */
  readonly path: BytePath;
  readonly kind: EntryKind;
  /** Permission bits with set-id and sticky: 0–0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly inode: bigint;
  /** Place in the root folder's list. */
  readonly fileSystem: number;
  readonly xattrs: readonly Xattr[];
  /** True: it changed so shortly before it was read that its state proves nothing. */
  readonly unsettled: boolean;
  /** True: names that have this too, with the same file system and inode, are one file. */
  readonly linked: boolean;
  /** Of a link. */
  readonly target?: BytePath | undefined;
  /** Of a device. */
  readonly device?: { readonly major: number; readonly minor: number } | undefined;
  /** Of a file. */
  readonly content?: Content | undefined;
  /** Of the root folder. */
  readonly fileSystems?: readonly EntryFileSystem[] | undefined;
  readonly owners?: OwnerNames | undefined;
  /** Fingerprint of the rules that left things out of this root. */
  readonly rules?: Uint8Array | undefined;
}

/**
 * The body of a home entry: a CBOR map in deterministic encoding. Absent means the default that is named.
 *
 *     0 kind         0 file, 1 folder, 2 link, 3 FIFO, 4 character device, 5 block device
 *     1 mode         permission bits, 0–0o7777
 *     2 uid, 3 gid   numbers
 *     4 mtime, 5 ctime   int64, nanoseconds since 1970-01-01 UTC
 *     6 inode        int64, two's complement of the 64 bits
 *     7 file system  place in the root folder's list; absent = 0
 *     8 xattrs       [[name bytes, value bytes] …] by name; absent = none
 *     9 target       bytes; links only
 *    10 linked       true: entries that have it, with equal file system and inode, are one file; absent = one name
 *    11 unsettled    true; absent = settled
 *    12 device       [major, minor]; devices only
 *    13 file systems [[type text, id text or null] …]; root folder only
 *    14 owners       [[[uid, name] …], [[gid, name] …]] by number; root folder only
 *    15 rules        bytes, opaque: equal for two snapshots means that both left out by the same rules; root folder only
 *
 * The key is '/' and the path below the root; a folder's ends in '/', so the root folder is '/'. A file has one content,
 * whose length is its size; nothing else has one. Every name of a linked
 * file carries its content.
 */
const field = {
  kind: 0,
  mode: 1,
  uid: 2,
  gid: 3,
  mtime: 4,
  ctime: 5,
  inode: 6,
  fileSystem: 7,
  xattrs: 8,
  target: 9,
  linked: 10,
  unsettled: 11,
  device: 12,
  fileSystems: 13,
  owners: 14,
  rules: 15,
} as const;

export const keyOf = (path: BytePath, kind: EntryKind): Uint8Array =>
  bytesOf((path === '' ? '/' : kind === 'folder' ? `/${path}/` : `/${path}`) as BytePath);

export function encodeHomeEntry(entry: HomeEntry): Entry {
  const body = new Map<number, CborValue>([
    [field.kind, entryKinds.indexOf(entry.kind)],
    [field.mode, entry.mode],
    [field.uid, entry.uid],
    [field.gid, entry.gid],
    [field.mtime, entry.mtimeNs],
    [field.ctime, entry.ctimeNs],
    [field.inode, BigInt.asIntN(64, entry.inode)],
  ]);
  if (entry.fileSystem !== 0) body.set(field.fileSystem, entry.fileSystem);
  if (entry.xattrs.length > 0) {
    body.set(
      field.xattrs,
      entry.xattrs.map(({ name, value }) => [bytesOf(name), bytesOf(value)]),
    );
  }
  if (entry.target !== undefined) body.set(field.target, bytesOf(entry.target));
  if (entry.linked) body.set(field.linked, true);
  if (entry.unsettled) body.set(field.unsettled, true);
  if (entry.device) body.set(field.device, [entry.device.major, entry.device.minor]);
  if (entry.fileSystems) {
    body.set(
      field.fileSystems,
      entry.fileSystems.map(({ type, id }) => [type, id]),
    );
  }
  if (entry.owners) body.set(field.owners, [pairs(entry.owners.users), pairs(entry.owners.groups)]);
  if (entry.rules) body.set(field.rules, entry.rules);
  return {
    key: keyOf(entry.path, entry.kind),
    body: encodeCbor(body),
    contents: entry.content ? [entry.content] : [],
  };
}

const pairs = (names: ReadonlyMap<number, string>): CborValue[] =>
  [...names].sort(([a], [b]) => a - b).map(([number, name]) => [number, name]);

/** STORE_DAMAGED for anything that encodeHomeEntry would not have made: a name that is no name, a wrong kind. */
export function decodeHomeEntry({ key, body, contents }: Entry): HomeEntry {
  const keyText = bytePath(key);
  const fail = (state: string): Error =>
    storeError('STORE_DAMAGED', `Cannot read home entry ${JSON.stringify(keyText)}: ${state}`);
  const map = decodeCbor(body, { what: 'home entry' });
  if (!(map instanceof Map)) throw fail('its body is no map');
  const fields: ReadonlyMap<number, CborValue> = map;
  const kind = entryKinds[numberOf(field.kind)];
  if (!kind) throw fail('it is of an unknown kind');
  const path = pathOf(keyText, kind);
  if (path === undefined) throw fail('its key is no path');
  if ((kind === 'file') !== (contents.length === 1) || contents.length > 1) {
    throw fail(`${contents.length} contents for a ${kind}`);
  }
  const mode = numberOf(field.mode);
  if (mode > 0o7777) throw fail('its mode is out of range');
  return {
    path,
    kind,
    mode,
    uid: numberOf(field.uid, ownerMax),
    gid: numberOf(field.gid, ownerMax),
    mtimeNs: bigOf(field.mtime),
    ctimeNs: bigOf(field.ctime),
    inode: BigInt.asUintN(64, bigOf(field.inode)),
    fileSystem: fields.has(field.fileSystem) ? numberOf(field.fileSystem) : 0,
    xattrs: listOf(field.xattrs).map(item => {
      const [name, value] = Array.isArray(item) ? item : [];
      if (!(name instanceof Uint8Array && value instanceof Uint8Array))
        throw fail('an attribute is no pair of bytes');
      if (name.length === 0 || name.length > nameBytesMax || name.includes(0))
        throw fail('an attribute has no name');
      if (value.length > xattrBytesMax) throw fail(`an attribute has ${value.length} bytes`);
      return { name: bytePath(name), value: bytePath(value) };
    }),
    unsettled: fields.get(field.unsettled) === true,
    linked: fields.get(field.linked) === true,
    target: kind === 'link' ? targetOf() : undefined,
    device: kind === 'characterDevice' || kind === 'blockDevice' ? deviceOf() : undefined,
    content: contents[0],
    fileSystems: fields.has(field.fileSystems) ? fileSystemsOf() : undefined,
    owners: fields.has(field.owners) ? ownersOf() : undefined,
    rules: fields.has(field.rules) ? rulesOf() : undefined,
  };

  function numberOf(number: number, max = Number.MAX_SAFE_INTEGER): number {
    const value = fields.get(number);
    if (typeof value !== 'number' || value < 0 || value > max)
      throw fail(`field ${number} is no number in range`);
    return value;
  }
  function bigOf(number: number): bigint {
    const value = fields.get(number);
    if (typeof value !== 'number' && typeof value !== 'bigint') throw fail(`field ${number} is no integer`);
    return BigInt(value);
  }
  function listOf(number: number): readonly CborValue[] {
    const value = fields.get(number);
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw fail(`field ${number} is no list`);
    return value;
  }
  function targetOf(): BytePath {
    const value = fields.get(field.target);
    if (
      !(value instanceof Uint8Array) ||
      value.length === 0 ||
      value.length >= pathBytesMax ||
      value.includes(0)
    )
      throw fail('its target is no path');
    return bytePath(value);
  }
  function deviceOf(): { major: number; minor: number } {
    const [major, minor] = listOf(field.device);
    if (!isId(major) || !isId(minor)) throw fail('its device is no pair of numbers');
    return { major, minor };
  }
  function fileSystemsOf(): EntryFileSystem[] {
    return listOf(field.fileSystems).map(item => {
      const [type, id] = Array.isArray(item) ? item : [];
      if (typeof type !== 'string' || !(id === null || typeof id === 'string'))
        throw fail('a file system is malformed');
      return { type, id };
    });
  }
  function rulesOf(): Uint8Array {
    const value = fields.get(field.rules);
    if (!(value instanceof Uint8Array)) throw fail('its rules are no bytes');
    return new Uint8Array(value);
  }
  function ownersOf(): OwnerNames {
    const [users, groups] = listOf(field.owners).map(list => {
      if (!Array.isArray(list)) throw fail('its owners are no lists');
      return new Map(list.map(item => ownerOf(item)));
    });
    if (!users || !groups) throw fail('its owners are no pair');
    return { users, groups };
  }
  function ownerOf(item: CborValue): [number, string] {
    const [number, name] = Array.isArray(item) ? item : [];
    if (!isId(number) || typeof name !== 'string') throw fail('an owner is malformed');
    return [number, name];
  }
}

/** The last number means "leave it" where an owner is set: it is nobody's. */
export const ownerMax = 0xfffffffe;
const idMax = 0xffffffff;
const isId = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= idMax;

/** The path of a key, if every name in it is one: not empty, not `.` or `..`, without a NUL. */
export function pathOf(key: BytePath, kind: EntryKind): BytePath | undefined {
  if (key === '/') return kind === 'folder' ? ('' as BytePath) : undefined;
  if (!key.startsWith('/') || key.endsWith('/') !== (kind === 'folder')) return undefined;
  const path = key.slice(1, kind === 'folder' ? -1 : undefined);
  for (let from = 0; from >= 0; ) {
    const slash = path.indexOf('/', from);
    if (!isName(slash < 0 ? path.slice(from) : path.slice(from, slash))) return undefined;
    from = slash < 0 ? slash : slash + 1;
  }
  return path as BytePath;
}

/** True for what a file or folder can be called. */
export const isName = (name: string): boolean =>
  name !== '' &&
  name !== '.' &&
  name !== '..' &&
  !name.includes('/') &&
  !name.includes('\0') &&
  name.length <= nameBytesMax;
/** What Linux takes: longer ones are nowhere. */
const nameBytesMax = 255;
const pathBytesMax = 4_096;
const xattrBytesMax = 65_536;
