import type { Entry } from '../../../store/index.ts';
import { bytePath } from '../paths.ts';
import type { Xattr } from '../system/xattrs.ts';
import { decodeHomeEntry, type HomeEntry, ownerMax, pathOf } from './entry.ts';
import { plainBodyReader } from './plain-body.ts';

const none: readonly Xattr[] = [];

/** Decodes as `decodeHomeEntry` does, and quicker what nearly all entries are. What it does not know is for that to judge. */
export function homeEntryReader(): (entry: Entry) => HomeEntry {
  const read = plainBodyReader();
  return entry => {
    const { key, body, contents } = entry;
    const plain = read(body);
    if (!plain || contents.length !== (plain.kind === 'file' ? 1 : 0)) return decodeHomeEntry(entry);
    const { kind, mode, uid, gid, mtimeNs, ctimeNs, inode, fileSystem, unsettled, linked } = plain;
    const path = pathOf(bytePath(key), kind);
    if (path === undefined || uid > ownerMax || gid > ownerMax) return decodeHomeEntry(entry);
    return {
      path,
      kind,
      mode,
      uid,
      gid,
      mtimeNs,
      ctimeNs,
      inode,
      fileSystem,
      xattrs: none,
      unsettled,
      linked,
      target: undefined,
      device: undefined,
      content: contents[0],
      fileSystems: undefined,
      owners: undefined,
      rules: undefined,
    };
  };
}
