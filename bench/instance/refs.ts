import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '../../store/index.ts';
import { git } from './git.ts';

/** A ref before and after; null = it did not or does not exist. */
export interface RefMove {
  readonly ref: string;
  readonly from: string | null;
  readonly to: string | null;
}

/** What a deletion has as its new hash in `public.ref_update`. */
export const zeroHash = '0'.repeat(40);

const lockWaitMsMax = 5_000;

/** Every ref of a bare repository. A loose one wins over a packed one; lock files are left out. */
export function readRefs(repository: string): Map<string, string> {
  const loose = new Map<string, string>();
  // Loose first: what a pack-refs removes meanwhile is in packed-refs by then.
  readLoose(repository, 'refs', loose);
  return new Map([...readPackedRefs(repository), ...loose]);
}

export function readRef(repository: string, ref: string): string | null {
  const loose = readIfThere(join(repository, ref));
  return loose === undefined ? (readPackedRefs(repository).get(ref) ?? null) : loose.trim();
}

/**
 * Moves a ref as Git does: `<ref>.lock` created exclusively, the old value compared, the lock renamed into place. A
 * deletion is Git's own, because it rewrites packed-refs. Waits for a lock that git holds.
 */
export async function moveRef(repository: string, move: RefMove, clock: Clock): Promise<void> {
  if (move.to === null) {
    await git(['update-ref', '-d', move.ref, move.from ?? zeroHash], { cwd: repository });
    return;
  }
  const path = join(repository, move.ref);
  const lock = await takeLock(`${path}.lock`, clock);
  try {
    const found = readRef(repository, move.ref);
    if (found !== move.from) throw new Error(`Cannot move ${move.ref}: it is at ${found}, not ${move.from}`);
    writeSync(lock, `${move.to}\n`);
    closeSync(lock);
    renameSync(`${path}.lock`, path);
  } catch (error) {
    rmSync(`${path}.lock`, { force: true });
    throw error;
  }
}

async function takeLock(path: string, clock: Clock): Promise<number> {
  const deadline = clock.monotonicMs() + lockWaitMsMax;
  for (;;) {
    try {
      return openSync(path, 'wx', 0o644);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'ENOENT') mkdirSync(dirname(path), { recursive: true });
      else if (code !== 'EEXIST' || clock.monotonicMs() > deadline) throw error;
      else await clock.sleep(5);
    }
  }
}

function readLoose(repository: string, folder: string, into: Map<string, string>): void {
  for (const entry of unlessGone(() => readdirSync(join(repository, folder), { withFileTypes: true })) ??
    []) {
    const name = `${folder}/${entry.name}`;
    if (entry.isDirectory()) readLoose(repository, name, into);
    else if (!name.endsWith('.lock')) {
      const hash = readIfThere(join(repository, name))?.trim();
      if (hash !== undefined) into.set(name, hash);
    }
  }
}

function readPackedRefs(repository: string): Map<string, string> {
  const text = readIfThere(join(repository, 'packed-refs')) ?? '';
  const refs = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (line.length > 41 && line[0] !== '#' && line[0] !== '^') refs.set(line.slice(41), line.slice(0, 40));
  }
  return refs;
}

function readIfThere(path: string): string | undefined {
  return existsSync(path) ? unlessGone(() => readFileSync(path, 'utf8')) : undefined;
}

function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
