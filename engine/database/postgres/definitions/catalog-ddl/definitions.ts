import type { Select, Server } from './query.ts';

/** A row of a catalog: `pg_class:16385`. */
export type ObjectKey = `${string}:${string}`;

export function keyOf(catalog: string, oid: string): ObjectKey {
  return `${catalog}:${oid}`;
}

/** Kinds of statement, in the order in which they are written where nothing else decides. */
export const itemKinds = [
  'schema',
  'extension',
  'language',
  'collation',
  'type',
  // A body or a view may be written with a cast, and nothing says so.
  'cast',
  'function',
  'domain constraint',
  'transform',
  'aggregate',
  'operator',
  'operator family',
  'operator class',
  'operators of a family',
  'conversion',
  'access method',
  'text search',
  'foreign server',
  'user mapping',
  'sequence',
  'table',
  'inheritance',
  'identity',
  'owned sequence',
  'column settings',
  'default',
  'view',
  'materialized view',
  // From here on: only once the rows are there.
  'check',
  'key',
  'index',
  'index of a partition',
  'statistics',
  'table settings',
  'rule',
  'trigger',
  'foreign key',
  'policy',
  'publication',
  'comment',
  'owner',
  'grant',
  'default privileges',
  'event trigger',
  'owner of an event trigger',
] as const;

export type ItemKind = (typeof itemKinds)[number];

/** Statements that stay together. */
export interface Item {
  readonly kind: ItemKind;
  /** As SQL writes it; with the kind it is unique. */
  readonly name: string;
  /** Without their semicolons. */
  readonly statements: readonly string[];
  /** Objects that must exist first, beside what pg_depend says of the claimed objects. */
  readonly after?: readonly ObjectKey[];
  /** Items that must come first. */
  readonly afterItems?: readonly Item[];
}

/** By kind, then by name. */
export function compareItems(a: Item, b: Item): number {
  const kinds = itemKinds.indexOf(a.kind) - itemKinds.indexOf(b.kind);
  return kinds !== 0 ? kinds : a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** An object that cannot be written. */
export interface Refusal {
  readonly key: ObjectKey;
  readonly text: string;
  /** Said about the object, not the object itself: a comment, a grant. */
  readonly isRemark: boolean;
}

export interface CatalogDdlOptions {
  /** Write ALTER … OWNER TO. True unless said otherwise. */
  readonly owners?: boolean;
  /** Write grants and default privileges. True unless said otherwise. */
  readonly grants?: boolean;
}

/** What the readers of the kinds have found so far. */
export class Definitions {
  readonly items: Item[] = [];
  /** Which item makes an object; null: rightly left out. */
  readonly claims = new Map<ObjectKey, Item | null>();
  readonly refusals: Refusal[] = [];
  /** How COMMENT ON names an object: `TABLE public.project`. */
  readonly labels = new Map<ObjectKey, string>();
  /** How the columns of a relation are named: `public.project`. */
  readonly columnOwners = new Map<ObjectKey, string>();
  /** How GRANT … ON names an object: `TABLE public.project`. */
  readonly grantLabels = new Map<ObjectKey, string>();
  /** The constraints of a domain, which whoever uses the domain wants to see in place. */
  readonly domainConstraints = new Map<ObjectKey, Item[]>();
  /** Who owns what; names as SQL writes them. */
  readonly owners: { readonly label: string; readonly role: string }[] = [];

  /** Takes an item that makes the objects of these keys. */
  add(item: Item, ...keys: ObjectKey[]): Item {
    this.items.push(item);
    for (const key of keys) this.claims.set(key, item);
    return item;
  }

  refuse(key: ObjectKey, text: string): void {
    this.refusals.push({ key, text, isRemark: false });
  }

  /** Refuses something said about an object, unless the object is refused itself. */
  refuseRemark(key: ObjectKey, text: string): void {
    this.refusals.push({ key, text, isRemark: true });
  }
}

/** What a reader of one kind gets. */
export interface Context {
  readonly select: Select;
  readonly server: Server;
  readonly definitions: Definitions;
  /** What comes with an extension: object → extension. No reader writes it. */
  readonly members: ReadonlyMap<ObjectKey, ObjectKey>;
}
