import { type Entry, salvageListing } from '../../store/index.ts';
import { decodeHomeEntry, encodeHomeEntry, type HomeEntry } from '../home/entries/entry.ts';
import { type BytePath, bytePath, shown } from '../home/paths.ts';
import type { PairedRoot } from '../pair.ts';
import { describeRanges, type Losses, lostRanges, type Salvage } from './losses.ts';

export interface SalvagedEntry {
  readonly entry: Entry;
  readonly isFolder: boolean;
  readonly bytes: number;
}

export interface HomeSalvage extends Salvage {
  readonly losses: Losses;
  /** Before paths of this root in what is said; empty for the home itself. */
  readonly prefix: string;
}

/**
 * The entries of a root that are whole, in order. A file that lacks a byte is left out; a folder whose own entry is lost is
 * made anew where something below it is whole, as closed as can be. Nothing at all where the root of the listing is lost.
 */
export async function* wholeHomeEntries(
  { listing }: PairedRoot,
  salvage: HomeSalvage,
): AsyncGenerator<SalvagedEntry> {
  const { source, losses, prefix } = salvage;
  const named = (path: BytePath) => `${prefix}${shown(path) || '/'}`;
  const folders = new OpenFolders();
  for await (const step of salvageListing(source, listing)) {
    if ('gap' in step) {
      const { node, entries, after, upTo } = step.gap;
      losses.because({ id: node, kind: 'node' });
      losses.add('home', `${entries} files and folders ${between({ after, upTo }, named)}`);
      continue;
    }
    const { entry } = step;
    const decoded = decodeHomeEntry(entry);
    const lost = decoded.content ? await lostRanges(decoded.content, salvage) : [];
    for (const { ref } of lost) losses.because(ref);
    if (lost.length > 0) {
      losses.add('home', `file ${named(decoded.path)}: ${describeRanges(lost, decoded.content!.length)}`);
      continue;
    }
    for (const folder of folders.missingAbove(decoded)) {
      losses.add('home', `folder ${named(folder)}: mode, owner and times of the folder itself`);
      yield { entry: encodeHomeEntry(closedFolder(folder, decoded)), isFolder: true, bytes: 0 };
    }
    const isFolder = decoded.kind === 'folder';
    if (isFolder) folders.enter(decoded.path);
    yield { entry, isFolder, bytes: decoded.content?.length ?? 0 };
  }
}

/** The folder of a root of which nothing else is left. */
export function emptyRoot(): SalvagedEntry {
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, mtimeNs: 0n };
  return { entry: encodeHomeEntry(closedFolder('' as BytePath, owner)), isFolder: true, bytes: 0 };
}

/** Readable by its owner alone: nobody knows who else might. */
function closedFolder(
  path: BytePath,
  { uid, gid, mtimeNs }: Pick<HomeEntry, 'uid' | 'gid' | 'mtimeNs'>,
): HomeEntry {
  const unknown = { ctimeNs: 0n, inode: 0n, fileSystem: 0, xattrs: [], unsettled: true, linked: false };
  return { path, kind: 'folder', mode: 0o700, uid, gid, mtimeNs, ...unknown };
}

/** The folders that the entry at hand is in, outermost first. */
class OpenFolders {
  readonly #open: BytePath[] = [];

  enter(path: BytePath): void {
    this.#open.push(path);
  }

  /** Those above an entry that were not met, which are then. */
  missingAbove({ path, kind }: Pick<HomeEntry, 'path' | 'kind'>): BytePath[] {
    if (kind === 'folder' && path === '') return [];
    while (this.#open.length > 0 && !isBelow(path, this.#open.at(-1)!)) this.#open.pop();
    const missing: BytePath[] = [];
    for (const above of pathsAbove(path)) {
      if (this.#open.includes(above)) continue;
      missing.push(above);
      this.#open.push(above);
    }
    return missing;
  }
}

const isBelow = (path: BytePath, folder: BytePath): boolean => folder === '' || path.startsWith(`${folder}/`);

/** The root folder, `a` and `a/b` of `a/b/c`. */
function* pathsAbove(path: BytePath): Generator<BytePath> {
  yield '' as BytePath;
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1))
    yield path.slice(0, at) as BytePath;
}

function between(
  { after, upTo }: { readonly after: Uint8Array | undefined; readonly upTo: Uint8Array | undefined },
  named: (path: BytePath) => string,
): string {
  const name = (key: Uint8Array) => named(bytePath(key).slice(1) as BytePath);
  const start = after === undefined ? 'from the first' : `after ${name(after)}`;
  return `${start} ${upTo === undefined ? 'to the last' : `up to ${name(upTo)}`}`;
}
