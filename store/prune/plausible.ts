import type { StoreContext } from '../context.ts';
import { storeError } from '../errors.ts';
import type { SnapshotId } from '../ids.ts';
import type { Manifest } from '../manifest.ts';
import type { Mark } from '../manifests.ts';
import type { SessionsAtWork } from '../protocol/sessions.ts';

/** Every snapshot that a list of the store has, there or forgotten. */
type Names = ReadonlySet<SnapshotId>;

/**
 * A list that leaves things out must not cost what they need. Every manifest says how many names there were under
 * manifests/ when it was made, and which came before it on its host; names go only when forgotten/ has them.
 * STORE_IMPLAUSIBLE, as of all here.
 */
export function checkPlausible(
  { backend }: StoreContext,
  { manifests, names }: { readonly manifests: readonly Manifest[]; readonly names: Names },
): void {
  for (const { id, seen, previous } of manifests) {
    if (seen.count > names.size)
      throw implausible(
        backend.location,
        `snapshot ${id} saw ${seen.count} manifests, and with all that was forgotten there are ${names.size}`,
        whereLost,
      );
    if (previous !== null && !names.has(previous)) throw missed(backend.location, previous);
  }
}

/** What came before a snapshot is missed also when that one was forgotten, and so is what was ever verified. */
export function checkRemembered(
  { backend }: StoreContext,
  {
    remembered,
    marks,
    names,
  }: { readonly remembered: Iterable<SnapshotId>; readonly marks: readonly Mark[]; readonly names: Names },
): void {
  for (const id of [...remembered, ...marks.flatMap(({ previous }) => previous ?? [])])
    if (!names.has(id)) throw missed(backend.location, id);
}

/** Who reads what was forgotten before it said so sees the mark, and stops; what nobody forgot must be there. */
export function checkNamed(
  { backend }: StoreContext,
  { named, names }: { readonly named: SessionsAtWork['named']; readonly names: Names },
): void {
  for (const [snapshot, session] of named)
    if (!names.has(snapshot))
      throw implausible(
        backend.location,
        `session ${session} reads snapshot ${snapshot}, which is neither there nor forgotten`,
      );
}

export function nothingLeft({ backend }: StoreContext, forgotten: number): Error {
  return implausible(
    backend.location,
    `no snapshot is there, and ${forgotten} were forgotten`,
    '; if all were forgotten on purpose, run `stillpoint prune --allow-empty`',
  );
}

export const whereLost =
  '; if a manifest is lost, and no copy of the store has it, run `stillpoint repair --forget-lost`';

function missed(location: string, id: SnapshotId): Error {
  return implausible(location, `snapshot ${id} is neither there nor forgotten`, whereLost);
}

function implausible(location: string, state: string, otherwise = ''): Error {
  return storeError('STORE_IMPLAUSIBLE', `Cannot prune ${location}: ${state}`, {
    remedy: `Nothing was deleted. Check that the medium lists everything (mounts, permissions)${otherwise}.`,
  });
}
