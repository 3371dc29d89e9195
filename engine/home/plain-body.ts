import { type EntryKind, entryKinds } from './entry.ts';

/** What the body of an entry says that has nothing but what every entry has. */
export interface PlainBody {
  kind: EntryKind;
  mode: number;
  uid: number;
  gid: number;
  mtimeNs: bigint;
  ctimeNs: bigint;
  inode: bigint;
  fileSystem: number;
  linked: boolean;
  unsettled: boolean;
}

const number = { fileSystem: 7, linked: 10, unsettled: 11 };
const isTrue = 0xf5;

/**
 * Reads the bodies of files and folders without attributes, which are nearly all, in a third of the time that a general
 * decoder takes. Undefined for every other, and for what is not in its one encoding: that is `decodeHomeEntry`'s to judge.
 * The answer is valid until the next one.
 */
export function plainBodyReader(): (body: Uint8Array) => PlainBody | undefined {
  let bytes: Uint8Array = new Uint8Array();
  let at = 0;
  const plain: PlainBody = {
    kind: 'file',
    mode: 0,
    uid: 0,
    gid: 0,
    mtimeNs: 0n,
    ctimeNs: 0n,
    inode: 0n,
    fileSystem: 0,
    linked: false,
    unsettled: false,
  };

  /** A number below 2^32 in its shortest form; -1 for anything else. */
  const small = (): number => {
    const head = bytes[at]!;
    if (head < 24) {
      at += 1;
      return head;
    }
    if (head === 24) {
      at += 2;
      return bytes[at - 1]! >= 24 ? bytes[at - 1]! : -1;
    }
    if (head === 25) {
      at += 3;
      const value = bytes[at - 2]! * 256 + bytes[at - 1]!;
      return value >= 0x100 ? value : -1;
    }
    if (head !== 26) return -1;
    at += 5;
    const value = word(at - 4);
    return value >= 0x10000 ? value : -1;
  };
  const word = (from: number): number =>
    bytes[from]! * 0x1000000 + ((bytes[from + 1]! << 16) | (bytes[from + 2]! << 8) | bytes[from + 3]!);
  const long = (): bigint | undefined => {
    if (bytes[at] !== 0x1b) {
      const value = small();
      return value < 0 ? undefined : BigInt(value);
    }
    at += 9;
    if (at > bytes.length) return undefined;
    const high = word(at - 8);
    if (high === 0 || high >= 0x80000000) return undefined;
    return (BigInt(high) << 32n) | BigInt(word(at - 4));
  };

  return body => {
    bytes = body;
    const fields = body[0]! - 0xa0;
    if (!(fields >= 7 && fields <= 10) || body[1] !== 0) return undefined;
    const kind = entryKinds[body[2]!];
    if (kind !== 'file' && kind !== 'folder') return undefined;
    plain.kind = kind;
    at = 3;
    if (bytes[at++] !== 1) return undefined;
    plain.mode = small();
    if (bytes[at++] !== 2) return undefined;
    plain.uid = small();
    if (bytes[at++] !== 3) return undefined;
    plain.gid = small();
    if (bytes[at++] !== 4) return undefined;
    const mtimeNs = long();
    if (bytes[at++] !== 5) return undefined;
    const ctimeNs = long();
    if (bytes[at++] !== 6) return undefined;
    const inode = long();
    if (plain.mode < 0 || plain.mode > 0o7777 || plain.uid < 0 || plain.gid < 0) return undefined;
    if (mtimeNs === undefined || ctimeNs === undefined || inode === undefined) return undefined;
    plain.mtimeNs = mtimeNs;
    plain.ctimeNs = ctimeNs;
    plain.inode = inode;
    plain.fileSystem = 0;
    plain.linked = false;
    plain.unsettled = false;
    let left = fields - 7;
    if (left > 0 && bytes[at] === number.fileSystem) {
      at++;
      left--;
      plain.fileSystem = small();
      if (plain.fileSystem < 0 || plain.fileSystem > 0xffff) return undefined;
    }
    if (left > 0 && bytes[at] === number.linked && bytes[at + 1] === isTrue) {
      at += 2;
      left--;
      plain.linked = true;
    }
    if (left > 0 && bytes[at] === number.unsettled && bytes[at + 1] === isTrue) {
      at += 2;
      left--;
      plain.unsettled = true;
    }
    return left === 0 && at === bytes.length ? plain : undefined;
  };
}
