import type { DatabaseWish } from '../../database.ts';
import { splitStatements } from '../sql/statements.ts';
import { Graph } from './graph.ts';
import { keyOf, type NameKey, nameOfKey, type ObjectName } from './names.ts';
import type { Outline } from './outline.ts';
import { rootsOf } from './patterns.ts';
import { type Piece, piecesOf } from './pieces.ts';

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

function oneLine(sql: string): string {
  return sql
    .replace(/^(\s*--[^\n]*\n|\s+)+/, '')
    .replace(/\s+/g, ' ')
    .trim();
}
