import { type BigIntStats, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';

/** A process that uses a folder, or that might and cannot be looked into. */
export interface FolderUser {
  readonly pid: number;
  /** The command's name, as the kernel keeps it: 15 characters. */
  readonly name: string;
  /** As in `has /srv/home/log/app.log open`. */
  readonly use: string;
}

export interface FolderUsers {
  readonly found: readonly FolderUser[];
  /** What could not be looked at, a sentence each. */
  readonly unseen: readonly string[];
}

/**
 * Processes that have their working directory, their program, an open file or a mapped file below one of the folders,
 * whatever path they know it by: also those of containers. Not this process, those that it was started by and those
 * that it started. Without root the processes of other users cannot be looked into: one that runs as the owner of a
 * folder counts as found, since the application would; the others are counted as unseen.
 */
export async function findUsers(
  folders: readonly string[],
  { signal }: { readonly signal: AbortSignal },
): Promise<FolderUsers> {
  if (folders.length === 0) return { found: [], unseen: [] };
  const pids = listProcesses();
  if (!pids) return { found: [], unseen: ['Cannot look for processes in the home: there is no /proc here'] };
  const wanted = new Wanted(folders);
  const own = ownTree(pids);
  const found: FolderUser[] = [];
  let unseen = 0;
  for (const pid of pids) {
    if (own.has(pid)) continue;
    const answer = look(pid, wanted);
    if (answer === 'unseen') unseen++;
    else if (answer) found.push({ pid, name: nameOf(pid), use: answer });
    await setImmediate(); // the capture goes on between two processes
    signal.throwIfAborted();
  }
  return { found, unseen: unseen === 0 ? [] : [describeUnseen(unseen)] };
}

function describeUnseen(count: number): string {
  return `Cannot look into ${count} ${count === 1 ? 'process' : 'processes'} of other users: only those of the home's owner were proven not to use it; run the backup as root to look into all`;
}

function listProcesses(): number[] | undefined {
  try {
    return readdirSync('/proc')
      .filter(name => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return undefined; // another system than Linux
  }
}

/** How a process uses one of the folders; `unseen` when that cannot be told; undefined when it does not. */
function look(pid: number, wanted: Wanted): string | undefined {
  try {
    const at = `/proc/${pid}`;
    const id = readlinkSync(`${at}/ns/mnt`);
    const space = { root: id === readlinkSync('/proc/self/ns/mnt') ? '' : `${at}/root`, id };
    const folder = readlinkSync(`${at}/cwd`);
    if (wanted.holds(folder, { ...space, isFolder: true })) return `works in ${folder}`;
    for (const descriptor of readdirSync(`${at}/fd`)) {
      const file = linkOf(`${at}/fd/${descriptor}`);
      if (file?.startsWith('/') && wanted.holds(file, space)) return `has ${file} open`;
    }
    const program = linkOf(`${at}/exe`);
    if (program !== undefined && wanted.holds(program, space)) return `runs ${program}`;
    for (const file of mappedBy(at)) if (wanted.holds(file, space)) return `has ${file} mapped`;
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EPERM') return undefined; // it has ended, or is one of the kernel's own
    if (readFileSync(`/proc/${pid}/cmdline`, 'latin1') === '') return undefined; // the kernel's own, or a dead one
    if (!wanted.isOwner(pid)) return 'unseen';
    return 'runs as the owner of the home and cannot be looked into: run the backup as root or as that user';
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined; // closed meanwhile
    throw error;
  }
}

function mappedBy(at: string): Set<string> {
  const files = new Set<string>();
  for (const line of readFileSync(`${at}/maps`, 'utf8').split('\n')) {
    const path = line.slice(line.indexOf('/'));
    if (line.includes('/')) files.add(path.replace(/\\012/g, '\n'));
  }
  return files;
}

interface Space {
  /** The root folder as the process sees it; empty where it is this process's. */
  readonly root: string;
  /** Processes of one mount namespace know things by the same paths. */
  readonly id: string;
  readonly isFolder?: boolean;
}

/** The folders, known by what they are: a container has another path to the same one. */
class Wanted {
  readonly #folders: readonly BigIntStats[];
  readonly #known = new Map<string, boolean>();

  constructor(folders: readonly string[]) {
    this.#folders = folders.map(statOf).filter(stats => stats !== undefined);
  }

  /** Whether a path as a process sees it is one of the folders, or below. */
  holds(path: string, { root, id, isFolder = false }: Space): boolean {
    return this.#isIn(isFolder ? path.replace(/ \(deleted\)$/, '') : dirname(path), { root, id });
  }

  /** Whether a process runs as the owner of one of the folders. */
  isOwner(pid: number): boolean {
    const uid = statOf(`/proc/${pid}`)?.uid;
    return this.#folders.some(folder => folder.uid === uid);
  }

  #isIn(folder: string, space: Space): boolean {
    const key = `${space.id} ${folder}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const stats = statOf(space.root + folder);
    const isWanted = this.#folders.some(one => one.ino === stats?.ino && one.dev === stats.dev);
    const answer = isWanted || (folder !== '/' && folder !== '.' && this.#isIn(dirname(folder), space));
    this.#known.set(key, answer);
    return answer;
  }
}

function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return undefined; // gone, or not to be seen: a parent may be
  }
}

/** This process, those that it descends from, and those that descend from it. */
function ownTree(pids: readonly number[]): Set<number> {
  const parents = new Map(pids.map(pid => [pid, parentOf(pid)] as const));
  const own = new Set<number>();
  for (let pid: number | undefined = process.pid; pid; pid = parents.get(pid)) own.add(pid);
  for (const pid of pids) {
    const line: number[] = [];
    for (let one: number | undefined = pid; one && one !== process.pid; one = parents.get(one))
      line.push(one);
    const eldest = line.at(-1);
    if (eldest !== undefined && parents.get(eldest) === process.pid) for (const one of line) own.add(one);
  }
  return own;
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in parentheses, may hold anything: the fields begin behind its end.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined; // it has ended
  }
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return 'ended';
  }
}
