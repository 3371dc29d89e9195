import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  lchownSync,
  lutimesSync,
  openSync,
} from 'node:fs';
import type { HomeEntry } from '../entries/entry.ts';
import { type BytePath, bytesOf } from '../paths.ts';
import type { Libc } from '../system/libc.ts';
import { type OwnerNames, ownerNumbers } from '../system/owners.ts';
import { codeOf } from '../system/read.ts';
import { isVolatile } from '../system/xattrs.ts';
import { at } from './target.ts';

/** Whose the restored files are: as they were, by number or by name, or one owner for all. */
export type OwnerRule = 'keep' | 'by-name' | { readonly uid: number; readonly gid: number };

/** What could not be given back, counted for one warning each. */
export interface Losses {
  owners: number;
  attributes: number;
  readonly attributeNames: Set<BytePath>;
}

export type Owner = Pick<HomeEntry, 'uid' | 'gid'>;

/** What a restored file is given. */
export type Metadata = Pick<HomeEntry, 'kind' | 'mode' | 'uid' | 'gid' | 'mtimeNs' | 'xattrs'>;

/** Gives restored files their owner, mode, attributes and times. */
export interface MetadataWriter {
  readonly losses: Losses;
  /** Called with the root folder's names before anything is restored by name. */
  learnNames(names: OwnerNames | undefined): void;
  /** Whose an entry will be. */
  ownerOf(entry: Owner): Owner;
  /** Adds what another writer could not give back. */
  lose(losses: Losses): void;
  /** `owner`: whose it is, where that is known. */
  open(fd: number, entry: Metadata, options?: { readonly owner?: Owner | undefined }): void;
  /** For what cannot be opened: links, FIFOs, devices. */
  named(folder: number, name: BytePath, entry: HomeEntry): void;
}

const pathOnly = 0o10000000; // O_PATH, which Node does not name
const setIdBits = 0o6000;

export function metadataWriter({
  libc,
  owner,
}: {
  libc: Libc | undefined;
  owner: OwnerRule;
}): MetadataWriter {
  const losses: Losses = { owners: 0, attributes: 0, attributeNames: new Set() };
  const isRoot = process.geteuid?.() === 0;
  let numbers: ReturnType<typeof ownerNumbers> | undefined;

  const ownerOf = (entry: Owner): Owner => {
    if (typeof owner !== 'string') return owner;
    if (owner === 'keep' || !numbers) return entry;
    const { uid, gid } = entry;
    return { uid: numbers.users.get(uid) ?? uid, gid: numbers.groups.get(gid) ?? gid };
  };

  const setXattrs = (target: number | Buffer, { xattrs }: Metadata): void => {
    for (const { name, value } of xattrs) {
      try {
        // No backup has one of the others, and who makes one means something by it.
        if (!libc || isVolatile(name)) throw Object.assign(new Error('ENOTSUP'), { code: 'ENOTSUP' });
        libc.setXattr(target, { name: bytesOf(name), value: bytesOf(value) });
      } catch (error) {
        if (!attributeRefusals.has(codeOf(error) ?? '')) throw error;
        losses.attributes++;
        losses.attributeNames.add(name);
      }
    }
  };

  /** A set-id bit must not give the files of one owner the rights of another. */
  const modeFor = (entry: Metadata, isOwned: boolean): number =>
    isOwned || entry.kind === 'folder' ? entry.mode : entry.mode & ~setIdBits;

  return {
    losses,
    ownerOf,
    lose({ owners, attributes, attributeNames }) {
      losses.owners += owners;
      losses.attributes += attributes;
      for (const name of attributeNames) losses.attributeNames.add(name);
    },
    learnNames(names) {
      if (owner === 'by-name' && names) numbers = ownerNumbers(names);
    },
    // the order matters: a change of owner clears set-id bits and capabilities, a read-only mode forbids attributes
    open(fd, entry, { owner: present = fstatSync(fd) } = {}) {
      const wanted = ownerOf(entry);
      const isOwned = isOwnedBy(present, wanted);
      if (!isOwned && isRoot) fchownSync(fd, wanted.uid, wanted.gid);
      else if (!isOwned) losses.owners++;
      setXattrs(fd, entry);
      fchmodSync(fd, modeFor(entry, isOwned || isRoot));
      if (libc) libc.setTime(fd, entry.mtimeNs);
      else futimesSync(fd, secondsOf(entry.mtimeNs), secondsOf(entry.mtimeNs));
    },
    named(folder, name, entry) {
      const path = at(folder, name);
      const fd = openSync(path, pathOnly | constants.O_NOFOLLOW);
      try {
        const wanted = ownerOf(entry);
        const isOwned = isOwnedBy(fstatSync(fd), wanted);
        if (!isOwned && isRoot) lchownSync(path, wanted.uid, wanted.gid);
        else if (!isOwned) losses.owners++;
        setXattrs(path, entry);
        if (entry.kind !== 'link') chmodSync(`/proc/self/fd/${fd}`, modeFor(entry, isOwned || isRoot));
      } finally {
        closeSync(fd);
      }
      if (libc) libc.setTimeAt(folder, bytesOf(name), entry.mtimeNs);
      else lutimesSync(path, secondsOf(entry.mtimeNs), secondsOf(entry.mtimeNs));
    },
  };
}

/** Not allowed, or not known to this file system: told in one warning. */
const attributeRefusals = new Set([
  'EPERM',
  'EACCES',
  'ENOTSUP',
  'EOPNOTSUPP',
  'EINVAL',
  'ENOSPC',
  'E2BIG',
  'ERANGE',
]);

const isOwnedBy = (present: Owner, wanted: Owner): boolean =>
  present.uid === wanted.uid && present.gid === wanted.gid;

const secondsOf = (ns: bigint): number => Number(ns) / 1e9;
