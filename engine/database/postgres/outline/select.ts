import { engineError } from '../../../errors.ts';
import { nearest } from '../../../nearest.ts';
import type { DatabaseWish } from '../../database.ts';
import { splitStatements } from '../sql/statements.ts';
import type { Outline } from './outline.ts';
import { keyOf, type NameKey, nameOfKey, type Piece, piecesOf } from './pieces.ts';

/** A name in a schema. */
export interface ObjectName {
  readonly schema: string;
  readonly name: string;
}

/** A part of a database: what was asked for, and what that needs to be made. */
export interface Part {
  readonly selected: readonly ObjectName[];
  /** By which these will be there: those of their indexes, too. */
  readonly names: readonly ObjectName[];
  /** Types, functions and the like, and tables that definitions build upon. */
  readonly needed: readonly ObjectName[];
  /** Schemas that either is in. */
  readonly schemas: readonly string[];
}

/** What a part can use where it is restored. */
export interface Existing {
  readonly objects: ReadonlySet<NameKey>;
  readonly schemas: ReadonlySet<string>;
}

const nothingExists: Existing = { objects: new Set(), schemas: new Set() };

const relationKinds: ReadonlySet<string> = new Set([
  ...['table', 'foreign table', 'view', 'materialized view', 'sequence'],
]);
const sections = ['pre-data', 'post-data'] as const;

/**
 * The part of an outline that patterns name, in the same order. What is there already is used, and nothing is said of it:
 * `existing` has it, schemas by themselves. USAGE for a pattern that names nothing.
 */
export function selectObjects(
  outline: Outline,
  wish: Pick<DatabaseWish, 'tables' | 'schemas'>,
  existing: Existing = nothingExists,
): Outline & { readonly part: Part; readonly warnings: readonly string[] } {
  const pieces = new Map(
    sections.map(
      name => [name, [...piecesOf(splitStatements(outline.definitions.get(name) ?? ''))]] as const,
    ),
  );
  const graph = new Graph([...pieces.values()].flat());
  const roots = rootsOf(graph, wish);
  const { selected, reached } = graph.closure(roots, existing.objects);
  const isIn = (name: { readonly schema: string; readonly name: string }): boolean =>
    reached.has(graph.objectOf(keyOf(name.schema, name.name)) ?? '');
  const schemas = new Set(graph.namesOf(reached).map(key => nameOfKey(key).schema));
  const leftOut: string[] = [];
  const keeps = keeper({ graph, reached, schemas, existing: existing.schemas, leftOut });
  const definitions = new Map<string, string>();
  for (const [section, list] of pieces)
    definitions.set(
      section,
      list
        .filter(keeps)
        .map(one => one.sql)
        .join(''),
    );
  const globals = outline.definitions.get('globals');
  if (globals !== undefined) definitions.set('globals', globals);
  const needed = [...reached].filter(key => !selected.has(key));
  return {
    ...outline,
    definitions,
    record: { ...outline.record, largeObjectSource: null },
    relations: outline.relations
      .filter(one => one.kind !== 'large-objects' && one.condition === null && isIn(one))
      .map(one => (one.loadThrough && !isIn(one.loadThrough) ? { ...one, loadThrough: null } : one)),
    sequences: outline.sequences.filter(isIn),
    part: {
      selected: [...selected].map(nameOfKey),
      names: graph.namesOf(selected).map(nameOfKey),
      needed: needed.map(nameOfKey),
      schemas: [...schemas],
    },
    warnings: [
      ...leftOut.map(sql => `Left out, since what it leads to is not restored with it: ${sql}`),
      ...(outline.relations.some(one => one.kind === 'large-objects')
        ? ['Large objects are not restored with single tables, whatever their columns refer to.']
        : []),
    ],
  };
}

/** Objects by name, and what they need of each other. */
class Graph {
  readonly pieces: readonly Piece[];
  /** By a name: the object that it belongs to. */
  readonly #objects = new Map<NameKey, NameKey>();
  readonly kinds = new Map<NameKey, string>();
  /** What an object's own statements name. */
  readonly #needs = new Map<NameKey, Set<NameKey>>();
  /** What comes with an object: its partitions, the sequences of its columns. */
  readonly #brings = new Map<NameKey, Set<NameKey>>();

  constructor(pieces: readonly Piece[]) {
    this.pieces = pieces;
    for (const { about } of pieces) {
      if (about.what !== 'object' || about.name === undefined) continue;
      if (about.kind !== undefined) {
        this.#objects.set(about.name, about.name);
        if (!this.kinds.has(about.name)) this.kinds.set(about.name, about.kind);
      }
      for (const made of about.makes) if (!this.#objects.has(made)) this.#objects.set(made, about.name);
    }
    for (const { about } of pieces) {
      if (about.what !== 'object') continue;
      if (about.kind === 'operator') this.#addOperator(about.mentions);
      if (about.name === undefined) continue;
      const own = this.objectOf(about.name);
      if (own === undefined) continue;
      const others = this.namedBy(about.mentions).filter(key => key !== own);
      if (about.tie === undefined) for (const other of others) add(this.#needs, own, other);
      else if (about.tie === 'partition') for (const other of others) add(this.#brings, own, other);
      else if (about.tie === 'owned') for (const other of others) add(this.#brings, other, own);
    }
  }

  /** An operator has no name that others could be seen to use, so it comes with the types that it works on. */
  #addOperator(mentions: readonly NameKey[]): void {
    const named = this.namedBy(mentions);
    for (const type of named.filter(key => ['type', 'domain'].includes(this.kinds.get(key) ?? '')))
      for (const other of named) if (other !== type) add(this.#needs, type, other);
  }

  /** Every name by which some objects are there. */
  namesOf(objects: ReadonlySet<NameKey>): NameKey[] {
    return [...this.#objects].filter(([, own]) => objects.has(own)).map(([name]) => name);
  }

  objectOf(name: NameKey): NameKey | undefined {
    return this.#objects.get(name);
  }

  namedBy(mentions: readonly NameKey[]): NameKey[] {
    return [...new Set(mentions.flatMap(name => this.objectOf(name) ?? []))];
  }

  /** Everything that some objects bring and need, but for what exists and is not one of them. */
  closure(
    roots: Iterable<NameKey>,
    existing: ReadonlySet<NameKey>,
  ): { readonly selected: ReadonlySet<NameKey>; readonly reached: ReadonlySet<NameKey> } {
    const selected = reach(roots, key => this.#brings.get(key) ?? []);
    const reached = reach(selected, key =>
      [...(this.#needs.get(key) ?? []), ...(this.#brings.get(key) ?? [])].filter(
        other => selected.has(other) || !existing.has(other),
      ),
    );
    return { selected, reached };
  }
}

function add(map: Map<NameKey, Set<NameKey>>, key: NameKey, value: NameKey): void {
  map.set(key, (map.get(key) ?? new Set()).add(value));
}

function reach(from: Iterable<NameKey>, next: (key: NameKey) => Iterable<NameKey>): Set<NameKey> {
  const found = new Set(from);
  for (const key of found) for (const other of next(key)) found.add(other); // a set yields what is added meanwhile
  return found;
}

/** Which pieces a part has. */
function keeper(job: {
  readonly graph: Graph;
  readonly reached: ReadonlySet<NameKey>;
  readonly schemas: ReadonlySet<string>;
  readonly existing: ReadonlySet<string>;
  readonly leftOut: string[];
}): (piece: Piece) => boolean {
  const { graph, reached, schemas, leftOut } = job;
  const mine = graph.pieces.filter(
    ({ about }) =>
      about.what === 'object' && about.name !== undefined && reached.has(graph.objectOf(about.name) ?? ''),
  );
  const unknown = new Set(
    mine
      .flatMap(({ about }) => (about.what === 'object' ? about.mentions : []))
      .filter(key => graph.objectOf(key) === undefined)
      .map(key => nameOfKey(key).schema),
  );
  const words = new Set(mine.flatMap(({ sql }) => sql.toLowerCase().match(/[\p{L}_][\p{L}\p{N}_]*/gu) ?? []));
  const needsExtension = (name: string, schema: string | undefined): boolean =>
    words.has(name) ||
    (schema !== undefined && unknown.has(schema)) ||
    (/^btree_(gin|gist)$/.test(name) && words.has(name.slice('btree_'.length)));
  const extensions = new Set<string>();
  const notMade = new Set<string>();
  const isForeign = [...reached].some(key => graph.kinds.get(key) === 'foreign table');
  return ({ sql, about }) => {
    switch (about.what) {
      case 'setting':
        return true;
      case 'database':
        return false;
      case 'foreign':
        return isForeign;
      case 'schema':
        return (schemas.has(about.name) || isOfExtension(about.name)) && !job.existing.has(about.name);
      case 'extension':
        if (needsExtension(about.name, about.schema)) extensions.add(about.name);
        return extensions.has(about.name);
      case 'object': {
        const own = about.name === undefined ? undefined : graph.objectOf(about.name);
        if (about.tie === undefined) {
          if (own === undefined || !reached.has(own)) return false;
          if (about.inner === undefined || about.inner.isMade || !lacksInner(own, about.inner.name))
            return true;
          leftOut.push(oneLine(sql));
          return false;
        }
        const named = graph.namedBy(about.mentions);
        if (named.length > 0 && named.every(key => reached.has(key))) return true;
        const isLeft =
          about.tie === 'partition'
            ? named.some(key => reached.has(key))
            : about.tie === 'key' && own !== undefined && reached.has(own);
        if (isLeft) leftOut.push(oneLine(sql));
        if (isLeft && about.inner) notMade.add(JSON.stringify([own, about.inner.name]));
        return false;
      }
      default:
        return about satisfies never;
    }
  };
  /** A foreign key that was left out, or a trigger that a partition has from its parent. */
  function lacksInner(own: NameKey, name: string): boolean {
    const isMade = (about: Piece['about']): boolean =>
      about.what === 'object' &&
      about.inner?.isMade === true &&
      about.inner.name === name &&
      about.name !== undefined &&
      graph.objectOf(about.name) === own;
    return notMade.has(JSON.stringify([own, name])) || !graph.pieces.some(one => isMade(one.about));
  }
  /** The schema of an extension that is needed comes before the extension. */
  function isOfExtension(schema: string): boolean {
    return graph.pieces.some(
      ({ about }) =>
        about.what === 'extension' && about.schema === schema && needsExtension(about.name, about.schema),
    );
  }
}

function rootsOf(
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
    remedy: 'Write it as schema.name; put a name with dots into double quotes.',
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

function oneLine(sql: string): string {
  return sql
    .replace(/^(\s*--[^\n]*\n|\s+)+/, '')
    .replace(/\s+/g, ' ')
    .trim();
}
