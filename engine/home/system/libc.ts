import type { BytePath } from '../paths.ts';

export interface NamedBytes {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * The calls that Node lacks. Every path is bytes without a NUL; `fd` is an open descriptor, `folder` one of a folder.
 * All are synchronous and throw an Error with `code` (ENOENT, ENOTSUP …) and `syscall`, as Node's own calls do.
 */
export interface Libc {
  /** Sets the modification time to the nanosecond, the access time to the same; never follows a link. */
  setTimeAt(folder: number, name: Uint8Array, mtimeNs: bigint): void;
  setTime(fd: number, mtimeNs: bigint): void;
  /** Names in the order of the file system; empty where it has none to give (ENOTSUP). */
  listXattrs(target: number | Uint8Array): Uint8Array[];
  /** Whether an open file has any; false where the file system has none to give. */
  hasXattrs(fd: number): boolean;
  /** Undefined when it is gone (ENODATA). */
  getXattr(target: number | Uint8Array, name: Uint8Array): Uint8Array | undefined;
  setXattr(target: number | Uint8Array, xattr: NamedBytes): void;
  /** Opens an absolute path; the descriptor is one of Node's. */
  open(path: BytePath, flags: number): number;
  /** Where the next data or hole begins at or after offset; undefined when there is no more (ENXIO). */
  seekData(fd: number, offset: number): number | undefined;
  seekHole(fd: number, offset: number): number | undefined;
  /** Makes a FIFO, or as root a device. `mode` holds kind and permissions, `device` is st_rdev. */
  makeNodeAt(folder: number, name: Uint8Array, options: { mode: number; device: bigint }): void;
  /** Undefined where the kernel or a container forbids it. */
  readonly statx: Statx | undefined;
  /** The file system's own id: 32 hex digits of its UUID; undefined when it has none or says zero. */
  uuid(fd: number): string | undefined;
  /** When a file or folder was made, which nobody can set, and its inode; undefined where that is not recorded. */
  birth(fd: number): { readonly inode: bigint; readonly birthNs: bigint } | undefined;
  /** f_fsid of statfs, as 16 hex digits. */
  fsid(fd: number): string;
  /** Ends the process, and nothing else runs before it is gone (`_exit`). */
  exit(code: number): void;
}

export interface Statx {
  /**
   * Asks of a name in a folder, of an absolute path, or of the folder's own descriptor (empty name); never follows a
   * link. True when there was an answer; false when there is nothing of this name.
   */
  ask(folder: number, name: BytePath): boolean;
  /** Asks of a path that lies ready, ended by a NUL; false for whatever is no answer. */
  quick(folder: number, path: Uint8Array): boolean;
  /** struct statx of the newest answer, in words of 4 and of 8 bytes. Overwritten by the next. */
  readonly words: Uint32Array;
  readonly longs: BigInt64Array;
}

export type LibcLoad =
  | { readonly libc: Libc; readonly version: string }
  | { readonly libc: undefined; readonly reason: string };

/** What a run without these calls cannot do; for `doctor`. */
export const lostWithoutLibc: readonly string[] = [
  'extended attributes and ACLs are neither saved nor restored',
  'times are restored to the microsecond, not the nanosecond',
  'holes in sparse files are read and restored as zeros',
  'FIFOs and devices are not made again on restore',
];

let loading: Promise<LibcLoad> | undefined;
let loaded: Libc | undefined;

/** Loads koffi and binds the calls, once. Never throws: on a platform without it, says why. */
export function loadLibc(): Promise<LibcLoad> {
  loading ??= bind();
  return loading;
}

/** What this thread has loaded, without waiting for it. */
export function loadedLibc(): Libc | undefined {
  return loaded;
}

/** A path is shorter, with the NUL that ends it. */
export const pathMax = 4096;
const atEmpty = 0x1000;
const atNoFollow = 0x100;
const getUuid = 0x80111500; // FS_IOC_GETFSUUID, Linux 6.9 and newer; others answer ENOTTY
const closeOnExec = 0o2000000;
const statxBasic = 0x7ff;
const statxBirth = 0x800;
/** Of a few characters a call costs more. */
const ownWriteMax = 64;
/** Stands for a folder where the path is absolute. */
export const anyFolder = -100;
const seek = { data: 3, hole: 4 };

async function bind(): Promise<LibcLoad> {
  if (process.platform !== 'linux') return { libc: undefined, reason: `not made for ${process.platform}` };
  try {
    const { default: koffi } = await import('koffi');
    loaded = bindCalls(koffi);
    return { libc: loaded, version: koffi.version };
  } catch (error) {
    return { libc: undefined, reason: error instanceof Error ? error.message : String(error) };
  }
}

type Koffi = typeof import('koffi').default;

function bindCalls(koffi: Koffi): Libc {
  const library = koffi.load(null);
  const nameOfErrno = new Map(Object.entries(koffi.os.errno).map(([name, number]) => [number, name]));
  const bindOne = (name: string, result: string, parameters: string[]) =>
    library.func(name, result, parameters) as (
      ...parameters: (number | bigint | Uint8Array | null)[]
    ) => number;

  const utimensat = bindOne('utimensat', 'int', ['int', 'const void *', 'const void *', 'int']);
  const futimens = bindOne('futimens', 'int', ['int', 'const void *']);
  const lseek = bindOne('lseek', 'int64_t', ['int', 'int64_t', 'int']);
  const mknodat = bindOne('mknodat', 'int', ['int', 'const void *', 'uint32_t', 'uint64_t']);
  const ioctl = bindOne('ioctl', 'int', ['int', 'uint64_t', 'void *']);
  const exit = bindOne('_exit', 'void', ['int']);
  const fstatfs = bindOne('fstatfs', 'int', ['int', 'void *']);
  const openat = bindOne('openat', 'int', ['int', 'const void *', 'int']);
  const list = {
    fd: bindOne('flistxattr', 'int64_t', ['int', 'void *', 'size_t']),
    path: bindOne('llistxattr', 'int64_t', ['const void *', 'void *', 'size_t']),
  };
  const get = {
    fd: bindOne('fgetxattr', 'int64_t', ['int', 'const void *', 'void *', 'size_t']),
    path: bindOne('lgetxattr', 'int64_t', ['const void *', 'const void *', 'void *', 'size_t']),
  };
  const set = {
    fd: bindOne('fsetxattr', 'int', ['int', 'const void *', 'const void *', 'size_t', 'int']),
    path: bindOne('lsetxattr', 'int', ['const void *', 'const void *', 'const void *', 'size_t', 'int']),
  };

  const lastCode = (): string => nameOfErrno.get(koffi.errno()) ?? `E${koffi.errno()}`;
  const failed = (syscall: string, code = lastCode()): Error =>
    Object.assign(new Error(`${code}: ${syscall}`), { code, syscall });
  const check = (syscall: string, result: number): void => {
    if (result < 0) throw failed(syscall);
  };

  const scratch = Buffer.allocUnsafeSlow(64 * 1024);
  /** Asks again with more room until the answer fits: it may grow between two calls. */
  const answer = (syscall: string, ask: (room: Uint8Array) => number): Uint8Array | undefined => {
    for (let room = scratch; ; room = Buffer.allocUnsafeSlow(room.length * 4)) {
      const length = ask(room);
      if (length >= 0) return new Uint8Array(room.subarray(0, length));
      const code = lastCode();
      if (code === 'ENODATA' || code === 'ENOTSUP' || code === 'EOPNOTSUPP') return undefined;
      if (code !== 'ERANGE' || room.length > 1 << 24) throw failed(syscall, code);
    }
  };

  const asked = Buffer.allocUnsafeSlow(pathMax + 1);
  /** A path where the next call finds it, until the one after. */
  const written = (path: BytePath, syscall: string): Uint8Array => {
    if (path.length >= pathMax) throw failed(syscall, 'ENAMETOOLONG');
    if (path.length <= ownWriteMax) for (let i = 0; i < path.length; i++) asked[i] = path.charCodeAt(i);
    else asked.write(path, 0, 'latin1');
    asked[path.length] = 0;
    return asked;
  };

  const statx = bindOne('statx', 'int', ['int', 'const void *', 'int', 'uint32_t', 'void *']);

  return {
    setTimeAt: (folder, name, mtimeNs) =>
      check(
        'utimensat',
        utimensat(folder, terminated(name), timesOf(mtimeNs), name.length === 0 ? atEmpty : atNoFollow),
      ),
    setTime: (fd, mtimeNs) => check('futimens', futimens(fd, timesOf(mtimeNs))),
    listXattrs(target) {
      const isOpen = typeof target === 'number';
      const path = isOpen ? undefined : terminated(target);
      // The length alone first: the kernel takes as much memory as it is offered room, and most have none.
      if ((isOpen ? list.fd(target, null, 0) : list.path(path!, null, 0)) === 0) return [];
      const packed = isOpen
        ? answer('flistxattr', room => list.fd(target, room, room.length))
        : answer('llistxattr', room => list.path(path!, room, room.length));
      return packed ? splitNames(packed) : [];
    },
    hasXattrs(fd) {
      const length = list.fd(fd, null, 0); // asks for the length alone
      if (length >= 0) return length > 0;
      const code = lastCode();
      if (code === 'ENOTSUP' || code === 'EOPNOTSUPP') return false;
      throw failed('flistxattr', code);
    },
    getXattr: (target, name) =>
      typeof target === 'number'
        ? answer('fgetxattr', room => get.fd(target, terminated(name), room, room.length))
        : answer('lgetxattr', room => get.path(terminated(target), terminated(name), room, room.length)),
    setXattr: (target, { name, value }) =>
      typeof target === 'number'
        ? check('fsetxattr', set.fd(target, terminated(name), value, value.length, 0))
        : check('lsetxattr', set.path(terminated(target), terminated(name), value, value.length, 0)),
    open(path, flags) {
      const fd = openat(anyFolder, written(path, 'open'), flags | closeOnExec);
      check('open', fd);
      return fd;
    },
    seekData: (fd, offset) => sought(lseek(fd, offset, seek.data)),
    seekHole: (fd, offset) => sought(lseek(fd, offset, seek.hole)),
    makeNodeAt: (folder, name, { mode, device }) =>
      check('mknodat', mknodat(folder, terminated(name), mode, device)),
    statx: bindStatx(),
    uuid(fd) {
      const answered = new Uint8Array(17); // length byte, then at most 16
      if (ioctl(fd, getUuid, answered) < 0) return undefined;
      const id = Buffer.from(answered.subarray(1, 1 + Math.min(answered[0] ?? 0, 16)));
      return id.some(byte => byte !== 0) ? id.toString('hex') : undefined;
    },
    birth(fd) {
      const answered = Buffer.alloc(256); // struct statx: stx_mask at 0, stx_ino at 32, stx_btime at 80
      if (statx(fd, new Uint8Array(1), atEmpty, statxBasic | statxBirth, answered) !== 0) return undefined;
      if ((answered.readUInt32LE(0) & statxBirth) === 0) return undefined;
      const birthNs = answered.readBigInt64LE(80) * second + BigInt(answered.readUInt32LE(88));
      return birthNs === 0n ? undefined : { inode: answered.readBigUInt64LE(32), birthNs };
    },
    fsid(fd) {
      const answered = Buffer.alloc(256); // struct statfs is 120 bytes on 64-bit Linux, f_fsid at 56
      check('fstatfs', fstatfs(fd, answered));
      return answered.toString('hex', 56, 64);
    },
    exit: code => void exit(code),
  };

  function bindStatx(): Statx | undefined {
    const answered = new ArrayBuffer(256);
    const answer = new Uint8Array(answered);
    const ask = (folder: number, name: BytePath): boolean => {
      const flags = name.length === 0 ? atEmpty : atNoFollow;
      if (statx(folder, written(name, 'statx'), flags, statxBasic, answer) === 0) return true;
      const code = lastCode();
      if (code === 'ENOENT' || code === 'ENOTDIR') return false;
      throw failed('statx', code);
    };
    try {
      ask(anyFolder, '/' as BytePath);
    } catch {
      return undefined; // forbidden here: Node's own calls know another way
    }
    const quick = (folder: number, path: Uint8Array): boolean =>
      statx(folder, path, atNoFollow, statxBasic, answer) === 0;
    return { ask, quick, words: new Uint32Array(answered), longs: new BigInt64Array(answered) };
  }

  function sought(offset: number): number | undefined {
    if (offset >= 0) return Number(offset);
    const code = lastCode();
    if (code === 'ENXIO') return undefined;
    throw failed('lseek', code);
  }
}

function terminated(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= pathMax || bytes.includes(0)) {
    throw Object.assign(new Error('EINVAL: name'), { code: bytes.includes(0) ? 'EINVAL' : 'ENAMETOOLONG' });
  }
  const copy = new Uint8Array(bytes.length + 1);
  copy.set(bytes);
  return copy;
}

/** struct timespec[2]: access time, modification time. Seconds round down, so that times before 1970 work too. */
function timesOf(mtimeNs: bigint): Uint8Array {
  const rest = mtimeNs % second;
  const nanoseconds = rest < 0n ? rest + second : rest;
  times[0] = times[2] = (mtimeNs - nanoseconds) / second;
  times[1] = times[3] = nanoseconds;
  return timesBytes;
}
/** Read by the call that it is made for. */
const times = new BigInt64Array(4);
const timesBytes = new Uint8Array(times.buffer);
const second = 1_000_000_000n;

function splitNames(packed: Uint8Array): Uint8Array[] {
  const names: Uint8Array[] = [];
  for (let from = 0; from < packed.length; ) {
    const end = packed.indexOf(0, from);
    const to = end < 0 ? packed.length : end;
    names.push(packed.slice(from, to));
    from = to + 1;
  }
  return names;
}
