import type { BytePath } from '../home/paths.ts';
import { bytesOf } from '../home/paths.ts';

/** The unit of a tar archive: headers are one, bodies are filled up to whole ones. */
export const blockBytes = 512;

export type TarKind = 'file' | 'hardLink' | 'link' | 'characterDevice' | 'blockDevice' | 'folder' | 'fifo';

const typeflags: Readonly<Record<TarKind, string>> = {
  file: '0',
  hardLink: '1',
  link: '2',
  characterDevice: '3',
  blockDevice: '4',
  folder: '5',
  fifo: '6',
};

/** What a member of an archive is, before its bytes. Names are bytes. */
export interface TarHeader {
  readonly path: BytePath;
  readonly kind: TarKind;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  /** Bytes of the body that follows; of a sparse file those of its map, too. */
  readonly size: number;
  /** Where a link leads; of a hard link the path of the member that it names again. */
  readonly target?: BytePath | undefined;
  readonly device?: { readonly major: number; readonly minor: number } | undefined;
  readonly xattrs?: readonly { readonly name: BytePath; readonly value: BytePath }[] | undefined;
  /** The file's real length: the body begins with a map of what is not a hole. */
  readonly sparse?: { readonly realSize: number } | undefined;
}

/**
 * The blocks before a member's bytes: POSIX ustar, with a PAX header for what does not fit there. A long name that is no
 * UTF-8, which PAX cannot say, goes into GNU's `L` and `K` blocks, which every tar reads. Source: POSIX.1-2017, pax; GNU
 * tar manual, "Storing Sparse Files", format 1.0.
 */
export function tarHeader(header: TarHeader): Uint8Array {
  const name = header.kind === 'folder' ? `${header.path}/` : header.path;
  const records: Uint8Array[] = [];
  const before: Uint8Array[] = [];
  const add = (key: string, value: string): void => void records.push(paxRecord(key, value));
  const fits = (number: number, digits: number): boolean => number < 8 ** digits;

  if (header.sparse) {
    add('GNU.sparse.major', '1');
    add('GNU.sparse.minor', '0');
    add('GNU.sparse.name', name);
    add('GNU.sparse.realsize', String(header.sparse.realSize));
  } else if (name.length > nameBytes) {
    if (isUtf8(name)) add('path', name);
    else before.push(longName('L', name));
  }
  const target = header.target ?? '';
  if (target.length > nameBytes) {
    if (isUtf8(target)) add('linkpath', target);
    else before.push(longName('K', target));
  }
  const seconds = floorSeconds(header.mtimeNs);
  const isPlainTime = header.mtimeNs % nsPerSecond === 0n && seconds >= 0n && seconds < 8n ** 11n;
  if (!isPlainTime) add('mtime', decimalSeconds(header.mtimeNs));
  if (!fits(header.size, 11)) add('size', String(header.size));
  if (!fits(header.uid, 7)) add('uid', String(header.uid));
  if (!fits(header.gid, 7)) add('gid', String(header.gid));
  for (const one of header.xattrs ?? []) add(`SCHILY.xattr.${keyword(one.name)}`, one.value);

  const shownName = header.sparse ? sparseName(header.path) : name;
  const main = block({
    name: shownName.slice(0, nameBytes),
    mode: header.mode,
    uid: fits(header.uid, 7) ? header.uid : 0,
    gid: fits(header.gid, 7) ? header.gid : 0,
    size: fits(header.size, 11) ? header.size : 0,
    mtime: isPlainTime ? Number(seconds) : clampedTime(seconds),
    typeflag: typeflags[header.kind],
    target: target.slice(0, nameBytes),
    device: header.device,
  });
  const pax = records.length > 0 ? [extended(Buffer.concat(records), header)] : [];
  return Buffer.concat([...pax, ...before, main]);
}

/** What fills a body up to whole blocks. */
export const padding = (size: number): Uint8Array =>
  zeros.subarray(0, (blockBytes - (size % blockBytes)) % blockBytes);

/** What ends an archive. */
export const endOfArchive: Uint8Array = new Uint8Array(2 * blockBytes);

/** A run of bytes of a sparse file. */
export interface DataRun {
  readonly offset: number;
  readonly length: number;
}

/** A line of the map that a sparse file's body begins with: numbers, one a line, filled up to whole blocks. */
export const mapLine = (number: number): string => `${number}\n`;

const zeros = new Uint8Array(blockBytes);
const nameBytes = 100;
const nsPerSecond = 1_000_000_000n;

interface BlockFields {
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly typeflag: string;
  readonly target: string;
  readonly device: { readonly major: number; readonly minor: number } | undefined;
}

/** Texts are bytes, one character each. */
function block(fields: BlockFields): Uint8Array {
  const bytes = Buffer.alloc(blockBytes);
  const octal = (number: number, at: number, digits: number): void => {
    bytes.write(number.toString(8).padStart(digits, '0').slice(-digits), at, 'latin1');
  };
  bytes.write(fields.name, 0, 'latin1');
  octal(fields.mode, 100, 7);
  octal(fields.uid, 108, 7);
  octal(fields.gid, 116, 7);
  octal(fields.size, 124, 11);
  octal(fields.mtime, 136, 11);
  bytes.write('        ', 148, 'latin1'); // the sum is taken over blanks
  bytes.write(fields.typeflag, 156, 'latin1');
  bytes.write(fields.target, 157, 'latin1');
  bytes.write('ustar\x0000', 257, 'latin1');
  if (fields.device) {
    octal(fields.device.major, 329, 7);
    octal(fields.device.minor, 337, 7);
  }
  let sum = 0;
  for (const byte of bytes) sum += byte;
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

/** `length key=value\n`, in which the length counts itself. */
function paxRecord(key: string, value: string): Uint8Array {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`, 'latin1');
}

function extended(records: Uint8Array, { path, mtimeNs }: TarHeader): Uint8Array {
  const name = `PaxHeaders/${path.slice(path.lastIndexOf('/') + 1)}`.slice(0, nameBytes);
  const mtime = clampedTime(floorSeconds(mtimeNs));
  return withBody('x', { name, mtime, body: records });
}

function longName(typeflag: 'L' | 'K', name: string): Uint8Array {
  return withBody(typeflag, { name: '././@LongLink', mtime: 0, body: Buffer.from(`${name}\0`, 'latin1') });
}

function withBody(
  typeflag: string,
  { name, mtime, body }: { readonly name: string; readonly mtime: number; readonly body: Uint8Array },
): Uint8Array {
  const fields = { name, mode: 0o644, uid: 0, gid: 0, size: body.length, mtime, typeflag };
  const head = block({ ...fields, target: '', device: undefined });
  return Buffer.concat([head, body, padding(body.length)]);
}

/** A name for whom the map says nothing: they get the map and the bytes under it, and no wrong file. */
function sparseName(path: string): string {
  const slash = path.lastIndexOf('/') + 1;
  return `${path.slice(0, slash)}GNUSparseFile.0/${path.slice(slash)}`;
}

/** An equals sign would end the key: as GNU tar writes it. */
const keyword = (name: string): string => name.replaceAll('%', '%25').replaceAll('=', '%3D');

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function isUtf8(name: string): boolean {
  try {
    utf8.decode(bytesOf(name as BytePath));
    return true;
  } catch {
    return false;
  }
}

const floorSeconds = (ns: bigint): bigint =>
  (ns - (((ns % nsPerSecond) + nsPerSecond) % nsPerSecond)) / nsPerSecond;

const clampedTime = (seconds: bigint): number => {
  const most = 8n ** 11n - 1n;
  return Number(seconds < 0n ? 0n : seconds > most ? most : seconds);
};

function decimalSeconds(ns: bigint): string {
  const size = ns < 0n ? -ns : ns;
  const fraction = String(size % nsPerSecond)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${ns < 0n ? '-' : ''}${size / nsPerSecond}${fraction === '' ? '' : `.${fraction}`}`;
}
