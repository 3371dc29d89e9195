import type { ObjectKey } from './definitions.ts';
import type { Dependency } from './depends.ts';
import { append } from './multimap.ts';

/**
 * What comes with an extension: its objects and what these are made of (an index of a table, the type of a row), each with
 * its extension's key.
 */
export function membersOf(dependencies: readonly Dependency[]): Map<ObjectKey, ObjectKey> {
  const parts = new Map<ObjectKey, ObjectKey[]>();
  for (const { from, to, kind } of dependencies) if ('ai'.includes(kind)) append(parts, to, from);
  const members = new Map<ObjectKey, ObjectKey>();
  for (const { from, to, kind } of dependencies) if (kind === 'e') members.set(from, to);
  // A map grows while it is walked, and the walk sees what was added.
  for (const [key, extension] of members)
    for (const part of parts.get(key) ?? []) if (!members.has(part)) members.set(part, extension);
  return members;
}
