import { stat } from 'node:fs/promises';
import { ownerNames } from './home/system/owners.ts';

/** The name of a user of this machine, else the number. */
function nameOf(uid: number): string {
  const { users } = ownerNames({ uids: new Set([uid]), gids: new Set() });
  return users.get(uid) ?? String(uid);
}

/** Who runs this process. */
export function currentUser(): string {
  return nameOf(process.geteuid?.() ?? 0);
}

/** Whose a file, a folder or a process (as a folder of /proc) is; undefined where that cannot be told. */
export async function ownerOf(path: string): Promise<string | undefined> {
  const facts = await stat(path).catch(() => undefined);
  return facts && nameOf(facts.uid);
}
