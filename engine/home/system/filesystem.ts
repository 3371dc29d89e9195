import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { type BytePath, bytesOf } from '../paths.ts';
import { makeDevice, partsOf } from './device.ts';
import type { Libc } from './libc.ts';

/** What decides how far a file system's answers can be trusted. */
export interface FileSystemFacts {
  /** ext4, xfs, nfs … or the magic number in hex. */
  readonly type: string;
  /** True when another client's changes may show late: attributes come from a cache. */
  readonly cached: boolean;
  /** Stays the same across mounts; another file system in its place has another. Null when there is none. Never st_dev. */
  readonly id: string | null;
}

/** A test seam: changes what is believed of the file system that holds path. */
export type FileSystemProbe = (path: Buffer, facts: FileSystemFacts) => FileSystemFacts;

const types = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x01021994, 'tmpfs'],
  [0x794c7630, 'overlay'],
  [0x2fc12fc1, 'zfs'],
  [0x65735546, 'fuse'],
  [0x6969, 'nfs'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb2'],
]);
const networkTypes = new Set(['nfs', 'cifs', 'smb2']);

/** True where times are a server's. */
export const isRemote = (type: string): boolean => networkTypes.has(type);

export interface FileSystemQuestion {
  readonly dev: number;
  readonly libc: Libc | undefined;
  readonly seam?: FileSystemProbe | undefined;
  /** What the administrator calls it: its identity, whatever it says of itself. */
  readonly name?: string | undefined;
}

/** Asks which file system holds path, which may be a folder or a file. */
export function fileSystemOf(path: BytePath, { dev, libc, seam, name }: FileSystemQuestion): FileSystemFacts {
  const magic = Number(BigInt.asUintN(32, BigInt(statfsSync(bytesOf(path)).type)));
  const type = types.get(magic) ?? `0x${magic.toString(16)}`;
  const mount = networkTypes.has(type) ? mountOf(dev) : undefined;
  const facts = {
    type,
    cached: networkTypes.has(type) && !(mount && isCoherent(mount.options)),
    id: name === undefined ? identityOf(path, { type, dev, libc }) : `name:${name}`,
  };
  return seam ? seam(bytesOf(path), facts) : facts;
}

/**
 * A UUID that is not zero (btrfs adds its fsid: inode numbers are a subvolume's own). Else, as in many containers, when the
 * folder was made at which the file system was met, and its inode: no call sets that, and a folder made anew has another.
 */
function identityOf(
  path: BytePath,
  { type, dev, libc }: { type: string; dev: number; libc: Libc | undefined },
): string | null {
  if (!libc) return null;
  let fd: number;
  try {
    fd = openSync(bytesOf(path), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch {
    return null; // unreadable: the walk will say so where it matters
  }
  try {
    const uuid = libc.uuid(fd) ?? uuidOfDevice(dev);
    if (!uuid) return birthOf(fd, libc);
    return type === 'btrfs' ? `${uuid}/${libc.fsid(fd)}` : uuid;
  } finally {
    closeSync(fd);
  }
}

function birthOf(fd: number, libc: Libc): string | null {
  if (!fstatSync(fd).isDirectory()) return null;
  const birth = libc.birth(fd);
  return birth ? `birth:${birth.inode}:${birth.birthNs}` : null;
}

/** The name under /dev/disk/by-uuid of the device that holds a file system; older kernels have no other way. */
function uuidOfDevice(dev: number): string | undefined {
  const folder = '/dev/disk/by-uuid';
  try {
    return readdirSync(folder).find(
      name => statSync(`${folder}/${name}`, { bigint: true }).rdev === makeDevice(partsOf(dev)),
    );
  } catch {
    return undefined; // containers have no such folder
  }
}

interface Mount {
  readonly options: readonly string[];
}

function mountOf(dev: number): Mount | undefined {
  const { major, minor } = partsOf(dev);
  const wanted = `${major}:${minor}`;
  let found: Mount | undefined;
  for (const line of readFileSync('/proc/self/mountinfo', 'latin1').split('\n')) {
    const fields = line.split(' ');
    if (fields[2] !== wanted) continue;
    const rest = fields.slice(fields.indexOf('-') + 1);
    found = { options: `${fields[5] ?? ''},${rest[2] ?? ''}`.split(',') };
  }
  return found;
}

function isCoherent(options: readonly string[]): boolean {
  const off = ['acregmin=0', 'acregmax=0', 'acdirmin=0', 'acdirmax=0'];
  return options.includes('noac') || off.every(option => options.includes(option));
}
