import { type BytePath, bytePath, bytesOf } from '../paths.ts';
import type { Libc } from './libc.ts';

/** An extended attribute. Both are bytes, one character each. */
export interface Xattr {
  readonly name: BytePath;
  readonly value: BytePath;
}

/**
 * Reads the attributes of a file, by descriptor or by path (a link's own, not its target's), ordered by name. What may
 * not be read is left out and reported.
 */
export function readXattrs(
  target: number | BytePath,
  { libc, onUnreadable }: { libc: Libc | undefined; onUnreadable: (name: BytePath, error: unknown) => void },
): readonly Xattr[] {
  if (!libc) return none;
  const asked = typeof target === 'number' ? target : bytesOf(target);
  const names = libc.listXattrs(asked);
  if (names.length === 0) return none;
  const found: Xattr[] = [];
  for (const bytes of names) {
    const name = bytePath(bytes);
    if (isVolatile(name)) continue;
    try {
      const value = libc.getXattr(asked, bytes);
      if (value) found.push({ name, value: bytePath(value) });
    } catch (error) {
      onUnreadable(name, error);
    }
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

const none: readonly Xattr[] = [];

/** True for what is not kept and not given back. Kept: user.*, security.*, system.posix_acl_*, trusted.*. Others are a file system's own view of itself. */
export function isVolatile(name: BytePath): boolean {
  return !(
    name.startsWith('user.') ||
    name.startsWith('security.') ||
    name.startsWith('trusted.') ||
    name.startsWith('system.posix_acl_')
  );
}
