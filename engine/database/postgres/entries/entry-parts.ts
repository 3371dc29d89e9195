import { damaged, textFrom } from '../../fields.ts';

/** The first byte of a key; the order of the kinds is the order in which a backup learns them. */
export const entryKinds = { segment: 1, relation: 2, sequence: 3, definitions: 4, facts: 5 } as const;
export type EntryKind = keyof typeof entryKinds;

export interface RelationName {
  readonly schema: string;
  readonly name: string;
}

/** The prefix of all keys of a kind; with a relation's name: of all that belong to it. */
export function keyPrefix(kind: EntryKind, relation?: RelationName): Uint8Array {
  const name = relation ? `${relation.schema}\0${relation.name}\0` : '';
  return Buffer.concat([Uint8Array.of(entryKinds[kind]), Buffer.from(name, 'utf8')]);
}

export function inKeyOrder<T extends { readonly schema: string; readonly name: string }>(
  items: readonly T[],
): T[] {
  const keyed = items.map(item => ({ item, key: keyPrefix('relation', item) }));
  return keyed.sort((a, b) => Buffer.compare(a.key, b.key)).map(one => one.item);
}

/** `schema NUL name NUL`. */
export function nameFrom(bytes: Uint8Array): RelationName {
  const [schema, name, rest, ...more] = textFrom(bytes).split('\0');
  if (schema === undefined || name === undefined || rest !== '' || more.length > 0)
    throw damaged('an entry of the database', 'its key is no name');
  return { schema, name };
}
