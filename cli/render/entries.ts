import {
  type DatabaseItem,
  databaseMark,
  exactText,
  type Listed,
  nameOfRoot,
  printable,
  printableText,
} from '../../engine/index.ts';
import { count, localTime, size, utcTimeNs } from './quantities.ts';

type OwnerNames = {
  readonly users: ReadonlyMap<number, string>;
  readonly groups: ReadonlyMap<number, string>;
};
type InRoot = Extract<Listed, { in: 'root' }>;
type BytePath = InRoot['entry']['path'];

interface PlacedPath {
  readonly root: InRoot['root'];
  readonly entry: Pick<InRoot['entry'], 'path'>;
}

/** A path as a person may give it again. */
export function pathText({ root, entry }: PlacedPath): string {
  if (root.isHome && entry.path !== '') return printable(entry.path);
  return entry.path === '' ? nameOfRoot(root) : `${nameOfRoot(root)}/${printable(entry.path)}`;
}

/** The exact text, or where it is not UTF-8, the printable one and the bytes. */
export function exact(name: string, path: BytePath): Record<string, unknown> {
  const text = exactText(path);
  if (text !== undefined) return { [name]: text };
  return { [name]: printable(path), [`${name}Bytes`]: Buffer.from(path, 'latin1').toString('base64') };
}

/** Relative to the home, or absolute in a data store. */
export function wholePath({ root, entry }: PlacedPath): BytePath {
  if (root.isHome && entry.path !== '') return entry.path;
  const rootPath = Buffer.from(root.path).toString('latin1');
  return `${rootPath}${entry.path === '' ? '' : '/'}${entry.path}` as BytePath;
}

export function entryJson(listed: Listed, owners: OwnerNames): Record<string, unknown> {
  if (listed.in === 'database') return databaseJson(listed);
  const { entry } = listed;
  return {
    ...exact('path', wholePath(listed)),
    type: entry.kind,
    mode: entry.mode.toString(8).padStart(4, '0'),
    uid: entry.uid,
    gid: entry.gid,
    user: owners.users.get(entry.uid) ?? null,
    group: owners.groups.get(entry.gid) ?? null,
    size: entry.content?.length ?? 0,
    mtime: utcTimeNs(entry.mtimeNs),
    ...(entry.target === undefined ? {} : exact('target', entry.target)),
    ...(entry.linked ? { inode: String(entry.inode) } : {}),
  };
}

function databaseJson(listed: Extract<Listed, { in: 'database' }>): Record<string, unknown> {
  const { item } = listed;
  if (!item) return { path: `${databaseMark}${listed.group ?? ''}`, type: 'folder' };
  const { type, size: bytes, rows, sequence } = item;
  return {
    path: `${databaseMark}${item.path}`,
    type,
    ...(bytes === undefined ? {} : { size: bytes }),
    ...(sequence && { lastValue: String(sequence.lastValue), isCalled: sequence.isCalled }),
    ...(rows === undefined ? {} : { rows }),
  };
}

/** Mode, owner, size, time, name: as many cells for every line. */
export function entryCells(
  listed: Listed,
  { owners, names }: { readonly owners: OwnerNames; readonly names: 'last' | 'whole' },
): string[] {
  if (listed.in === 'database') return databaseCells(listed);
  const { entry } = listed;
  const owner = `${nameOr(entry.uid, owners.users)}:${nameOr(entry.gid, owners.groups)}`;
  const whole = pathText(listed);
  const name = names === 'last' && entry.path !== '' ? whole.slice(whole.lastIndexOf('/') + 1) : whole;
  const shown =
    entry.kind === 'folder'
      ? `${name}/`
      : entry.target === undefined
        ? name
        : `${name} -> ${printable(entry.target)}`;
  const bytes = entry.kind === 'file' ? size(entry.content?.length ?? 0) : '';
  return [modeText(entry), owner, bytes, localTime(Number(entry.mtimeNs / 1_000_000n)), shown];
}

const nameOr = (number: number, names: ReadonlyMap<number, string>): string =>
  printableText(names.get(number) ?? String(number));

function databaseCells(listed: Extract<Listed, { in: 'database' }>): string[] {
  const { item } = listed;
  if (!item) return ['folder', '', '', '', `${databaseMark}${listed.group ? `${listed.group}/` : ''}`];
  return [item.type, '', amountOf(item), '', printableText(`${databaseMark}${item.path}`)];
}

function amountOf({ type, size: bytes, rows, sequence }: DatabaseItem): string {
  if (bytes !== undefined) return size(bytes);
  if (sequence) return `at ${sequence.lastValue}`;
  return rows !== undefined && (type === 'table' || type === 'large-objects') ? `${count(rows)} rows` : '';
}

const kindLetters = {
  file: '-',
  folder: 'd',
  link: 'l',
  fifo: 'p',
  characterDevice: 'c',
  blockDevice: 'b',
} as const;

/** `-rw-r--r--`, with s, S, t and T for set-id and sticky. */
function modeText({ kind, mode }: InRoot['entry']): string {
  const triple = (bits: number, special: boolean, letter: string): string =>
    `${bits & 4 ? 'r' : '-'}${bits & 2 ? 'w' : '-'}${
      special ? (bits & 1 ? letter : letter.toUpperCase()) : bits & 1 ? 'x' : '-'
    }`;
  return (
    kindLetters[kind] +
    triple(mode >> 6, (mode & 0o4000) !== 0, 's') +
    triple(mode >> 3, (mode & 0o2000) !== 0, 's') +
    triple(mode, (mode & 0o1000) !== 0, 't')
  );
}

/** Lines in columns, some hundred at a time, each as wide as what came so far; the third to the right, the last as it is. */
export async function* inColumns(rows: AsyncIterable<readonly string[]>): AsyncGenerator<string> {
  const widths: number[] = [];
  let held: (readonly string[])[] = [];
  const lines = (): string => {
    for (const row of held)
      for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
    const text = held
      .map(row =>
        row.map((cell, i) => padded(cell, { i, last: row.length - 1, width: widths[i]! })).join('  '),
      )
      .join('\n');
    held = [];
    return `${text}\n`;
  };
  for await (const row of rows) if (held.push(row) === linesHeld) yield lines();
  if (held.length > 0) yield lines();
}

const linesHeld = 256;
const sizeColumn = 2;

function padded(cell: string, { i, last, width }: { i: number; last: number; width: number }): string {
  if (i === last) return cell;
  return i === sizeColumn ? cell.padStart(width) : cell.padEnd(width);
}
