import { engineError } from '../../../errors.ts';
import { nearest } from '../../../nearest.ts';
import type { DatabaseWish } from '../../database.ts';
import type { Graph } from './graph.ts';
import { type NameKey, nameOfKey, type ObjectName } from './names.ts';

const relationKinds: ReadonlySet<string> = new Set([
  ...['table', 'foreign table', 'view', 'materialized view', 'sequence'],
]);
/** What patterns name, as it stands in a graph. USAGE for a pattern that names nothing. */
export function rootsOf(
  graph: Graph,
  { tables = [], schemas = [] }: Pick<DatabaseWish, 'tables' | 'schemas'>,
): Set<NameKey> {
  const roots = new Set<NameKey>();
  const relations = [...graph.kinds].filter(([, kind]) => relationKinds.has(kind)).map(([key]) => key);
  const take = (
    pattern: string,
    { keys, what }: { readonly keys: readonly NameKey[]; readonly what: string },
  ): void => {
    if (keys.length === 0) throw namesNothing(pattern, { what, relations: relations.map(nameOfKey) });
    for (const key of keys) roots.add(key);
  };
  for (const pattern of tables) {
    const [name = '', schema = '*'] = patternParts(pattern).reverse();
    const isMeant = both(matcher(schema), matcher(name));
    take(pattern, {
      keys: relations.filter(key => isMeant(nameOfKey(key))),
      what: 'table, view or sequence',
    });
  }
  for (const pattern of schemas) {
    const isMeant = matcher(pattern.replace(/^"(.*)"$/, '$1'));
    take(pattern, {
      keys: [...graph.kinds.keys()].filter(key => isMeant(nameOfKey(key).schema)),
      what: 'schema',
    });
  }
  return roots;
}

const both =
  (schema: (text: string) => boolean, name: (text: string) => boolean) =>
  (one: ObjectName): boolean =>
    schema(one.schema) && name(one.name);

/** `schema.name` at the dot; a dot in double quotes is part of a name. */
function patternParts(pattern: string): string[] {
  const parts = [...pattern.matchAll(/"((?:[^"]|"")*)"|[^."]+/g)].map(([text, quoted]) =>
    quoted === undefined ? text : quoted.replaceAll('""', '"'),
  );
  if (parts.length === 1 || parts.length === 2) return parts;
  throw engineError('USAGE', `Cannot restore ${pattern}: it is no name of a table`, {
    remedy:
      'Write it as schema.name; put a name with dots or quotes into double quotes, and write a double quote in it twice.',
  });
}

function matcher(pattern: string): (text: string) => boolean {
  const parts = pattern.split('*').map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const expression = new RegExp(`^${parts.join('[^]*')}$`, 'u');
  return text => expression.test(text);
}

function namesNothing(
  pattern: string,
  { what, relations }: { readonly what: string; readonly relations: readonly ObjectName[] },
): Error {
  const names = relations.map(one => `${one.schema}.${one.name}`);
  const near = nearest(pattern, names);
  return engineError('USAGE', `Cannot restore ${pattern}: the snapshot has no such ${what}`, {
    remedy: near === undefined ? '`stillpoint ls SNAPSHOT` lists what there is.' : `Did you mean ${near}?`,
  });
}
