import type { StoreContext } from '../context.ts';
import { isStoreError } from '../errors.ts';
import type { PackId, SnapshotId } from '../ids.ts';
import { listManifestIds, readClearPart } from '../manifests.ts';

/** Hexadecimal digits of a pack's id that are its session's. */
const sessionDigits = 32;

/**
 * A snapshot that lists a pack nowhere in the index, though a session lists what it wrote before it commits: then parts of the
 * index are gone. Undefined: no pack tells of any.
 */
export async function snapshotWithoutIndex(
  context: StoreContext,
  { unlisted, signal }: { readonly unlisted: readonly PackId[]; readonly signal?: AbortSignal | undefined },
): Promise<SnapshotId | undefined> {
  if (unlisted.length === 0) return undefined;
  const sessions = new Set(unlisted.map(pack => pack.slice(0, sessionDigits)));
  for (const id of await listManifestIds(context, { signal }))
    if (sessions.has(id.slice(0, sessionDigits)) && (await isSnapshot(context, id, signal))) return id;
  return undefined;
}

/** One whose run was aborted has listed nothing, maybe; one that cannot be read says nothing. */
async function isSnapshot(
  context: StoreContext,
  id: SnapshotId,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    return (await readClearPart(context, id, { signal })) !== undefined;
  } catch (error) {
    if (!isStoreError(error)) throw error;
    return false;
  }
}
