import type { ChunkRef } from '../content.ts';
import type { StoreContext } from '../context.ts';
import { isStoreError, storeError } from '../errors.ts';
import type { SessionId, SnapshotId } from '../ids.ts';
import { everVerified } from '../ledger.ts';
import type { Manifest } from '../manifest.ts';
import {
  listForgottenIds,
  listManifestIds,
  listMarkedIds,
  type Mark,
  readAhead,
  readManifest,
  readMark,
} from '../manifests.ts';
import { isFinding } from '../medium-error.ts';
import { listIntents, readIntent } from '../protocol/intent.ts';
import { readSessions, unlessMissing } from '../protocol/sessions.ts';
import { mayHostsWrite } from '../record.ts';
import { checkNamed, checkPlausible, checkRemembered, nothingLeft, whereLost } from './plausible.ts';

/** What must stay, with all that can be reached from it. */
export interface Root {
  readonly id: SnapshotId;
  /** 'intent': of a run that has not committed; it may yet find that it cannot. */
  readonly kind: 'manifest' | 'intent';
  readonly refs: readonly ChunkRef[];
}

export interface Roots {
  readonly roots: readonly Root[];
  /** Snapshots that are there, forgotten or not: their manifests can go once nobody names them. */
  readonly leftovers: readonly SnapshotId[];
  /** A backup is at work. */
  readonly hasBackup: boolean;
}

export interface RootOptions {
  /** Treated as if they were forgotten. */
  readonly forgetting?: ReadonlySet<SnapshotId> | undefined;
  /** Snapshots that whoever asks knows of. */
  readonly remembered?: readonly SnapshotId[] | undefined;
  /** No snapshot at all is what the caller expects. */
  readonly mayBeEmpty?: boolean | undefined;
  /** Walked already; not read again. */
  readonly known?: ReadonlySet<SnapshotId> | undefined;
  /** Of the session that asks: it depends on nothing. */
  readonly own?: SessionId | undefined;
  /** Sessions that are dead, whatever is still there of them. */
  readonly dead?: ReadonlySet<SessionId> | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

const attemptsMax = 3;

/**
 * Intents, then manifests, then what sessions name: a run that commits meanwhile is seen as one or the other. A manifest
 * that cannot be read is the end, since nobody knows what it needs: STORE_DAMAGED. A list that cannot be all there is:
 * STORE_IMPLAUSIBLE.
 */
export async function readRoots(context: StoreContext, options: RootOptions = {}): Promise<Roots> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readOnce(context, options);
    } catch (error) {
      // A list is no instant: one that was made while others committed may have a snapshot and not what came before it.
      if (!isStoreError(error) || error.code !== 'STORE_IMPLAUSIBLE' || attempt === attemptsMax) throw error;
    }
  }
}

async function readOnce(context: StoreContext, options: RootOptions): Promise<Roots> {
  const { known = new Set<SnapshotId>(), forgetting = new Set<SnapshotId>() } = options;
  const { own, dead = new Set(), signal } = options;
  // First, so that whatever it tells of was there before the lists are made.
  const remembered = [...(await everVerified(context, { signal })), ...(options.remembered ?? [])];
  const roots: Root[] = [];
  for (const session of await listIntents(context, { signal })) {
    const id = session as string as SnapshotId;
    if (known.has(id) || dead.has(session)) continue;
    const intent = await readIntent(context, session, { signal });
    if (intent !== undefined) roots.push({ id, kind: 'intent', refs: intent.roots });
  }
  const ids = await listManifestIds(context, { signal });
  const marked = new Set(await listMarkedIds(context, { signal }));
  const forgotten = await listForgottenIds(context, { signal });
  const unsure = ids.find(id => marked.has(id) && !forgotten.has(id) && !forgetting.has(id));
  // What a host without the passphrase puts there is no mark, and must not stop a prune: the snapshot stays.
  if (unsure !== undefined && !mayHostsWrite(context.ring)) throw markUnreadable(unsure);
  const { sessions, named } = await readSessions(context, { own, dead, signal });
  const isWanted = (id: SnapshotId) => named.has(id) || !(forgotten.has(id) || forgetting.has(id));
  const aborted = new Set<SnapshotId>();
  const manifests: Manifest[] = [];
  const wanted = ids.filter(id => isWanted(id) && !known.has(id));
  for await (const [id, reading] of readAhead(wanted, id => readManifest(context, id, { signal }))) {
    const manifest = await unlessForgotten(context, { id, reading }, options);
    if (manifest === null) aborted.add(id);
    else if (manifest !== undefined) manifests.push(manifest);
  }
  const unwanted = ids.filter(id => !isWanted(id));
  const names = new Set([...ids, ...forgotten]);
  const left = await readLeft(context, unwanted, { signal });
  checkPlausible(context, { manifests: [...manifests, ...left], names });
  checkNamed(context, { named, names });
  checkRemembered(context, { remembered, marks: await readMarks(context, forgotten, { signal }), names });
  for (const { id, roots: refs } of manifests) roots.push({ id, kind: 'manifest', refs });
  const stays = roots.filter(({ id, kind }) => kind === 'manifest' || !aborted.has(id));
  const isEmpty = stays.length === 0 && !ids.some(id => known.has(id));
  if (isEmpty && !options.mayBeEmpty && forgetting.size === 0) throw nothingLeft(context, forgotten.size);
  return {
    roots: stays,
    leftovers: ids.filter(id => forgotten.has(id) && !named.has(id)),
    hasBackup: [...sessions.values()].some(({ purpose }) => purpose === 'backup'),
  };
}

/** Manifests of what is forgotten that are still there: each says what came before it. Those that cannot be read say nothing. */
async function readLeft(
  context: StoreContext,
  ids: readonly SnapshotId[],
  { signal }: CallOptions,
): Promise<readonly Manifest[]> {
  return collectFound(ids, id => readManifest(context, id, { signal }));
}

/** What the marks say of what came before: those that cannot be read say nothing. */
async function readMarks(
  context: StoreContext,
  ids: Iterable<SnapshotId>,
  { signal }: CallOptions,
): Promise<readonly Mark[]> {
  return collectFound([...ids], id => readMark(context, id, { signal }));
}

async function collectFound<T>(
  ids: readonly SnapshotId[],
  read: (id: SnapshotId) => Promise<T | undefined>,
): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const [, reading] of readAhead(ids, read)) {
    const one = await reading.catch((error: unknown) => {
      if (!isFinding(error)) throw error;
    });
    if (one !== undefined) found.push(one);
  }
  return found;
}

/** True where nothing was ever stored: a store that a first backup is still to fill. */
export async function isUnused({ backend }: StoreContext, { signal }: CallOptions = {}): Promise<boolean> {
  for (const prefix of ['packs/', 'manifests/', 'forgotten/'])
    for await (const _object of backend.list(prefix, signal ? { signal } : {})) return false;
  return true;
}

/** Null for a run that was aborted, undefined for what was forgotten while it was read. */
async function unlessForgotten(
  context: StoreContext,
  { id, reading }: { readonly id: SnapshotId; readonly reading: Promise<Manifest | undefined> },
  { signal }: RootOptions,
): Promise<Manifest | null | undefined> {
  let isMissing = false;
  const manifest = await unlessMissing(async () => (await reading) ?? null);
  isMissing = manifest === undefined;
  if (!isMissing) return manifest;
  if ((await listForgottenIds(context, { signal })).has(id)) return undefined;
  throw storeError('STORE_OBJECT_MISSING', `Cannot prune: manifests/${id} was listed, and is not there`, {
    remedy: `Nothing was deleted. Look at the medium${whereLost}.`,
  });
}

function markUnreadable(id: SnapshotId): Error {
  const name = `forgotten/${id}`;
  return storeError(
    'STORE_DAMAGED',
    `Cannot prune: ${name} cannot be read, and the snapshot is still there`,
    {
      remedy: `Nothing was deleted. To drop the snapshot, run \`stillpoint forget ${id}\`; to keep it, remove the file ${name} from the store.`,
      context: { object: name },
    },
  );
}
