import type { ChunkSource, ListingRoot } from '../../../../store/index.ts';
import type { DatabaseOwners, DatabaseWish } from '../../database.ts';
import { groupsOf, splitStatements } from '../sql/statements.ts';
import { type Outline, readOutline } from './outline.ts';
import { databaseSqlWithOwners, rolesNamed, schemaOwnersFirst, withOwners } from './owners.ts';
import { type Existing, type Part, selectObjects } from './select.ts';
import { withTablespaces } from './tablespaces.ts';

/** What a restore is to make, and what is to be said about it. */
export interface Wanted extends Outline {
  /** Only a part of the database; undefined: all of it. */
  readonly part: Part | undefined;
  readonly warnings: readonly string[];
}

const asBackedUp: DatabaseOwners = { owner: 'keep', grants: true };

/** The outline of a listing as it is wanted: STORE_DAMAGED, STORE_NEWER, USAGE for what is not in it. */
export async function readWanted(options: {
  readonly source: ChunkSource;
  readonly root: ListingRoot;
  readonly wish?: DatabaseWish | undefined;
  /** What is there already where a part is to be restored. */
  readonly existing?: Existing | undefined;
  readonly signal?: AbortSignal | undefined;
}): Promise<Wanted> {
  const { wish = {} } = options;
  const outline = await readOutline(options);
  const { part, warnings, ...chosen } =
    wish.tables || wish.schemas
      ? selectObjects(outline, wish, options.existing)
      : { ...outline, part: undefined, warnings: [] };
  const owners = wish.owners ?? asBackedUp;
  const changed = (section: string, sql: string): string => {
    if (section === 'globals') return sql; // for people
    const wanted = withTablespaces(withOwners(sql, owners), wish.tablespaces);
    // What is in pre-data stays behind the schema that it makes.
    return section === 'post-data' ? schemaOwnersFirst(wanted) : wanted;
  };
  const definitions = new Map(
    [...chosen.definitions].map(([section, sql]) => [section, changed(section, sql)]),
  );
  const databaseSql = databaseSqlWithOwners(chosen.record.databaseSql, owners);
  const isAll = part === undefined && owners.owner === 'keep' && owners.grants;
  const statements = [
    ...statementsOf(definitions),
    ...(wish.isAlongside ? [] : databaseSql.map(([before, after]) => `${before}"name"${after};`)),
  ];
  const roles = isAll ? chosen.record.roles : rolesNamed(statements, chosen.record.roles);
  const added = typeof owners.owner === 'object' ? [owners.owner.role] : [];
  return {
    ...chosen,
    definitions,
    record: { ...chosen.record, databaseSql, roles: [...new Set([...roles, ...added])] },
    part,
    warnings,
  };
}

/** All statements of all sections that are run. */
export function* statementsOf(definitions: ReadonlyMap<string, string>): Generator<string> {
  for (const [section, sql] of definitions) {
    if (section === 'globals') continue;
    for (const group of groupsOf(sql)) yield* splitStatements(group);
  }
}
