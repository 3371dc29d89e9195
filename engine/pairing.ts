import { type ChunkRef, type ChunkSource, hex, readListing } from '../store/index.ts';
import { kindOf, knownDatabase } from './database/index.ts';
import { type BytePath, bytePath, decodeHomeEntry, shown } from './home/index.ts';
import { findBelow, rootsOf } from './look/index.ts';
import type { PairedHome, PairedRoot, Snapshot } from './pair.ts';

/** Raised when more is compared: what an earlier version found well is then compared again. */
export const pairingVersion = 1;

/**
 * Whether a snapshot is the pair that its manifest says: the fence is whole and adds up, what the manifest refers to is
 * what the pair is made of, both halves hold as many files, tables and rows as were counted, every file lies in a folder
 * that is there, and the digests of tables are those of their segments. What is wrong, a sentence; undefined when nothing is.
 */
export async function checkPairing(
  source: ChunkSource,
  snapshot: Snapshot,
  options: { readonly roots?: readonly ChunkRef[] } = {},
): Promise<string | undefined> {
  const { home, database } = snapshot;
  return (
    checkFence(snapshot) ??
    (options.roots && checkRoots(snapshot, options.roots)) ??
    (home ? await checkHome(source, home) : undefined) ??
    (await checkInternal(source, snapshot)) ??
    (database ? await kindOf(database).check(source, knownDatabase(database)) : undefined)
  );
}

/** A prune keeps what the roots reach: a listing that is none of them would be lost. */
function checkRoots({ home, database }: Snapshot, roots: readonly ChunkRef[]): string | undefined {
  const listings = [...(home?.roots ?? []), ...(database ? [database] : [])].map(({ listing }) =>
    hex(listing.id),
  );
  const kept = new Set(roots.map(({ id }) => hex(id)));
  if (listings.some(id => !kept.has(id))) return 'A listing of the pair is none of the manifest’s roots';
  return kept.size === new Set(listings).size
    ? undefined
    : 'The manifest has a root that is no listing of the pair';
}

function checkFence({ fence, commands }: Snapshot): string | undefined {
  const { kind, lockedAtMs, drainedAtMs, capturedAtMs, unlockedAtMs } = fence;
  if (kind === 'none') return undefined;
  const isWhole = lockedAtMs !== null && drainedAtMs !== null && unlockedAtMs !== null;
  if (capturedAtMs === null || (kind !== 'stopped' && !isWhole)) {
    return `The fence says ${kind} and lacks one of its times`;
  }
  const { lockMs, drainMs, captureMs, unlockMs, heldMs } = fence;
  // Durations are monotonic, unlike the times; each was rounded to µs.
  if (isWhole && Math.abs(lockMs + drainMs + captureMs + unlockMs - heldMs) > roundingMs)
    return `The fence held for ${heldMs} ms, which is not the sum of its steps`;
  switch (kind) {
    case 'latched':
      return fence.taskId === null ? 'The fence says latched and names no task' : undefined;
    case 'command': {
      const missing = (['lock', 'unlock'] as const).find(
        moment => !commands.some(one => one.moment === moment),
      );
      return missing && `The fence says command and the ${missing} command is not among those that ran`;
    }
    case 'stopped':
      return fence.heldMs === 0 ? undefined : 'The fence says stopped and that something was held';
    default:
      return kind satisfies never;
  }
}

const roundingMs = 0.01;

async function checkHome(source: ChunkSource, home: PairedHome): Promise<string | undefined> {
  const found = { files: 0, folders: 0, bytes: 0 };
  for (const root of home.roots) {
    const problem = await checkTree(source, { root, found });
    if (problem) return problem;
  }
  for (const name of ['files', 'folders', 'bytes'] as const) {
    if (found[name] !== home[name])
      return `The home has ${found[name]} ${name}, its manifest says ${home[name]}`;
  }
  return undefined;
}

/** Adds up what a folder tree holds. A folder comes before all that is in it, so the folders around an entry are few. */
async function checkTree(
  source: ChunkSource,
  {
    root,
    found,
  }: { readonly root: PairedRoot; readonly found: { files: number; folders: number; bytes: number } },
): Promise<string | undefined> {
  const around: BytePath[] = [];
  let entries = 0;
  for await (const entry of readListing(source, root.listing)) {
    const { path, kind, content } = decodeHomeEntry(entry);
    if (entries === 0 && (kind !== 'folder' || path !== ''))
      return 'A home does not begin with its root folder';
    entries += 1;
    while (around.length > 0 && !path.startsWith(`${around.at(-1)}/`)) around.pop();
    const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
    if (parent !== (around.at(-1) ?? '')) return `${shown(path)} lies in a folder that is not stored`;
    if (kind === 'folder') {
      found.folders++;
      if (path !== '') around.push(path);
    } else found.files++;
    found.bytes += content?.length ?? 0;
  }
  const { listing } = root;
  return entries === listing.entries
    ? undefined
    : `A home has ${entries} entries, its manifest says ${listing.entries}`;
}

/** The files of a database in the home are among those of the home, as large as they were in the window. */
async function checkInternal(
  source: ChunkSource,
  { home, internal = [], degraded }: Snapshot,
): Promise<string | undefined> {
  if (degraded) return undefined; // what it lacks is listed
  for (const { path, bytes } of internal) {
    const root = rootsOf({ home })[0];
    const entry = root && (await findBelow(source, { root, path: bytePath(path) }));
    if (entry?.kind !== 'file') return `The home lacks ${shown(bytePath(path))}, which is of its database`;
    const found = entry.content?.length ?? 0;
    if (found !== bytes)
      return `${shown(bytePath(path))} of the database has ${found} bytes, its manifest says ${bytes}`;
  }
  return undefined;
}
