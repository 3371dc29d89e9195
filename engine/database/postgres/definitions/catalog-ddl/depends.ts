import { type Context, compareItems, type Item, keyOf, type ObjectKey } from './definitions.ts';
import { append } from './multimap.ts';
import type { Select } from './query.ts';
import { firstUserOid } from './sql.ts';

/** One row of pg_depend between two objects of users, columns counting as their tables. */
export interface Dependency {
  readonly from: ObjectKey;
  readonly to: ObjectKey;
  /** n: needs; a: goes with it; i: is part of it; e: belongs to an extension; and others. */
  readonly kind: string;
}

export async function readDependencies(select: Select): Promise<Dependency[]> {
  const rows = await select<{ catalog: string; oid: string; ref_catalog: string; ref: string; kind: string }>(
    `SELECT DISTINCT c.relname AS catalog, d.objid AS oid, r.relname AS ref_catalog, d.refobjid AS ref, d.deptype AS kind
     FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class c ON c.oid = d.classid
       JOIN pg_catalog.pg_class r ON r.oid = d.refclassid
     WHERE d.objid >= ${firstUserOid}`,
  );
  return rows.map(row => ({
    from: keyOf(row.catalog, row.oid),
    to: keyOf(row.ref_catalog, row.ref),
    kind: row.kind,
  }));
}

/** What an object is part of, as the server keeps it: an array type of its element, a row type of its table. */
export function wholes(dependencies: readonly Dependency[]): Map<ObjectKey, ObjectKey[]> {
  const map = new Map<ObjectKey, ObjectKey[]>();
  for (const { from, to, kind } of dependencies) if (kind === 'i') append(map, from, to);
  return map;
}

export interface Edges {
  /** What each item cannot do without. */
  readonly needs: ReadonlyMap<Item, ReadonlySet<Item>>;
  /** What each item comes after: its needs, and the constraints of domains that it uses, unless these need it. */
  readonly follows: ReadonlyMap<Item, ReadonlySet<Item>>;
}

/** Which item waits for which. */
export function edgesBetween({ definitions }: Context, dependencies: readonly Dependency[]): Edges {
  const { items, claims } = definitions;
  const wholeOf = wholes(dependencies);
  const itemOf = (key: ObjectKey): Item | null | undefined => {
    const item = claims.get(key);
    if (item !== undefined) return item;
    for (const whole of wholeOf.get(key) ?? []) {
      const found = itemOf(whole);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const needs = new Map(items.map(item => [item, new Set(item.afterItems)]));
  const need = (item: Item, key: ObjectKey): void => {
    const other = itemOf(key);
    // None: the server's own.
    if (other && other !== item) needs.get(item)!.add(other);
  };
  for (const item of items) for (const key of item.after ?? []) need(item, key);
  for (const { from, to } of dependencies) {
    const item = itemOf(from);
    // A sequence that a column owns is made before its table, and tied to it later.
    if (item && item.kind !== 'sequence') need(item, to);
  }
  const constraints = new Map<Item, readonly Item[]>();
  for (const [key, list] of definitions.domainConstraints) {
    const domain = itemOf(key);
    if (domain) constraints.set(domain, list);
  }
  return { needs, follows: withDomainConstraints(needs, constraints) };
}

/**
 * A domain gets its checks before anything uses it: once a table holds a composite of it, it takes none. Where a check
 * itself leans on such a use, the check comes later.
 */
function withDomainConstraints(
  needs: ReadonlyMap<Item, ReadonlySet<Item>>,
  constraints: ReadonlyMap<Item, readonly Item[]>,
): Map<Item, Set<Item>> {
  const follows = new Map([...needs].map(([item, set]) => [item, new Set(set)]));
  const leansOn = (item: Item, wanted: Item, seen = new Set<Item>()): boolean => {
    if (item === wanted) return true;
    if (seen.has(item)) return false;
    seen.add(item);
    return [...follows.get(item)!].some(one => leansOn(one, wanted, seen));
  };
  const users = [...needs].filter(([item]) => item.kind !== 'domain constraint');
  for (const [user, set] of users.sort(([a], [b]) => compareItems(a, b)))
    for (const domain of set)
      for (const constraint of constraints.get(domain) ?? [])
        if (!leansOn(constraint, user)) follows.get(user)!.add(constraint);
  return follows;
}
