import { type Context, type Item, keyOf, type ObjectKey } from './definitions.ts';
import { firstUserOid } from './sql.ts';

/** One row of pg_depend between two objects of users, columns counting as their tables. */
export interface Dependency {
  readonly from: ObjectKey;
  readonly to: ObjectKey;
  /** n: needs; a: goes with it; i: is part of it; e: belongs to an extension; and others. */
  readonly kind: string;
}

export async function readDependencies({ select }: Context): Promise<Dependency[]> {
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
  for (const { from, to, kind } of dependencies)
    if (kind === 'i') map.set(from, [...(map.get(from) ?? []), to]);
  return map;
}

export interface Edges {
  /** What each item needs. */
  readonly hard: ReadonlyMap<Item, ReadonlySet<Item>>;
  /** What each item had better come after. */
  readonly soft: ReadonlyMap<Item, ReadonlySet<Item>>;
}

/** Which item waits for which. */
export function edgesBetween({ definitions }: Context, dependencies: readonly Dependency[]): Edges {
  const { items, claims, domainConstraints } = definitions;
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
  const hard = new Map(items.map(item => [item, new Set(item.afterItems)]));
  const soft = new Map(items.map(item => [item, new Set<Item>()]));
  const need = (item: Item, key: ObjectKey): void => {
    const other = itemOf(key);
    if (!other) return; // the server's own, or refused
    if (other !== item) hard.get(item)!.add(other);
  };
  for (const item of items) for (const key of item.after ?? []) need(item, key);
  for (const { from, to } of dependencies) {
    const item = itemOf(from);
    // A sequence that a column owns is made before its table, and tied to it later.
    if (!item || item.kind === 'sequence') continue;
    need(item, to);
  }
  const constraintsOf = new Map<Item, Item[]>();
  for (const [key, list] of domainConstraints) {
    const domain = itemOf(key);
    if (domain) constraintsOf.set(domain, list);
  }
  for (const [item, needs] of hard)
    for (const other of needs)
      for (const constraint of constraintsOf.get(other) ?? [])
        if (constraint !== item && item.kind !== 'domain constraint') soft.get(item)!.add(constraint);
  return { hard, soft };
}
