import { damaged, textFrom } from '../fields.ts';

/** The first byte of a key; the order of the kinds is the order in which a backup learns them. */
export const entryKinds = { range: 1, table: 2, sequence: 3, object: 4, facts: 5 } as const;
export type EntryKind = keyof typeof entryKinds;

/** The prefix of all keys of a kind; with a name: of all that belong to it. */
export function keyPrefix(kind: EntryKind, name?: string): Uint8Array {
  return Buffer.concat([
    Uint8Array.of(entryKinds[kind]),
    Buffer.from(name === undefined ? '' : `${name}\0`, 'utf8'),
  ]);
}

/** STORE_DAMAGED where it is no name and a NUL. */
export function nameFrom(bytes: Uint8Array): string {
  if (bytes.at(-1) === 0) {
    const name = textFrom(bytes.subarray(0, -1));
    if (name !== '' && !name.includes('\0')) return name;
  }
  throw damaged('an entry of the database', 'its key is no name');
}
