import type { ClientBase } from 'pg';
import { readAggregates } from './aggregates.ts';
import { readCasts } from './casts.ts';
import { readCollations, readConversions } from './collations.ts';
import { readComments } from './comments.ts';
import { readConstraints } from './constraints.ts';
import {
  type CatalogDdlOptions,
  type Context,
  Definitions,
  type Item,
  keyOf,
  type ObjectKey,
} from './definitions.ts';
import { type Dependency, edgesBetween, readDependencies } from './depends.ts';
import { readDomains } from './domains.ts';
import { readEventTriggers } from './event-triggers.ts';
import { readExtensions } from './extensions.ts';
import { readForeign } from './foreign.ts';
import { readFunctions } from './functions.ts';
import { readDefaultPrivileges, readGrants } from './grants.ts';
import { readIndexes } from './indexes.ts';
import { addInheritance } from './inheritance.ts';
import { readLanguages } from './languages.ts';
import { membersOf } from './members.ts';
import { readOperatorClasses } from './operator-classes.ts';
import { readOperators } from './operators.ts';
import { itemsAfterRows, sortItems } from './order.ts';
import { readPolicies } from './policies.ts';
import { readPublications } from './publications.ts';
import { type Select, withSettledText } from './query.ts';
import { checkVersion, refuseTheRest } from './refuse.ts';
import { readRelations } from './relations.ts';
import { readSchemas } from './schemas.ts';
import { readSequences } from './sequences.ts';
import { addColumnSettings } from './settings.ts';
import { readStatistics } from './statistics.ts';
import { addTables } from './tables.ts';
import { readTextSearch } from './text-search.ts';
import { readRules, readTriggers } from './triggers.ts';
import { readTypes } from './types.ts';
import { readViews } from './views.ts';

/** The definitions of one database, as SQL that the simple query protocol executes in one go, encoded as UTF-8. */
export interface CatalogDdl {
  /** Everything that rows are loaded into; for an empty database. */
  readonly preData: string;
  /** Everything that is made once the rows are there: keys, indexes, triggers; comments, owners and grants last. */
  readonly postData: string;
}

/** Bodies may speak of what comes later; nothing here may depend on how the session that runs it was set up. */
const head = `SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET standard_conforming_strings = on;
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
SET default_tablespace = '';
SET default_table_access_method = heap;
SELECT pg_catalog.set_config('search_path', '', false);
`;

/**
 * Writes the definitions of every object of a database out of its catalogs, and refuses by name (DATABASE_UNSUPPORTED)
 * what it does not know: nothing is left out silently. Runs inside a repeatable-read transaction. The pg_get_* functions look at the
 * catalogs as they are now, not as the transaction's snapshot has them, so the caller compares fingerprints before and
 * after. Large objects count as data: readLargeObjectDdl writes what is defined about them.
 */
export async function readCatalogDdl(
  client: ClientBase,
  options: CatalogDdlOptions = {},
): Promise<CatalogDdl> {
  return withSettledText(client, async (select, server) => {
    checkVersion(server);
    const dependencies = await readDependencies(select);
    const members = await membersBut(select, dependencies);
    const context: Context = { select, server, definitions: new Definitions(), members };
    await readAll(context);
    await refuseTheRest(context, dependencies);
    const { items } = context.definitions;
    const edges = edgesBetween(context, dependencies);
    const sorted = sortItems(items, edges).filter(item => isWanted(item, options));
    const late = itemsAfterRows(sorted, edges);
    return {
      preData: write(sorted.filter(item => !late.has(item))),
      postData: write(sorted.filter(item => late.has(item))),
    };
  });
}

async function readAll(context: Context): Promise<void> {
  const { definitions } = context;
  await readSchemas(context);
  await readExtensions(context);
  await readLanguages(context);
  await readCollations(context);
  await readConversions(context);
  await readTypes(context);
  await readDomains(context);
  await readFunctions(context);
  await readAggregates(context);
  await readOperators(context);
  await readOperatorClasses(context);
  await readCasts(context);
  await readTextSearch(context);
  await readForeign(context);
  const relations = await readRelations(context);
  addTables(context, relations);
  addInheritance(context, relations);
  addColumnSettings(context, relations);
  await readSequences(context, relations);
  await readViews(context, relations);
  await readConstraints(context, relations);
  await readIndexes(context, relations);
  await readStatistics(context);
  await readTriggers(context, relations);
  await readRules(context, relations);
  await readPolicies(context, relations);
  await readPublications(context);
  await readEventTriggers(context);
  await readComments(context);
  for (const { label, role } of definitions.owners)
    definitions.add({ kind: 'owner', name: label, statements: [`ALTER ${label} OWNER TO ${role}`] });
  await readGrants(context);
  await readDefaultPrivileges(context);
}

/** Those of PL/pgSQL are everybody's. */
async function membersBut(
  select: Select,
  dependencies: readonly Dependency[],
): Promise<Map<ObjectKey, ObjectKey>> {
  const members = membersOf(dependencies);
  const everywhere = await select<{ oid: string }>(
    "SELECT oid FROM pg_catalog.pg_extension WHERE extname = 'plpgsql'",
  );
  const keys = new Set(everywhere.map(({ oid }) => keyOf('pg_extension', oid)));
  return new Map([...members].filter(([, extension]) => !keys.has(extension)));
}

function isWanted({ kind }: Item, { owners = true, grants = true }: CatalogDdlOptions): boolean {
  return kind === 'owner' || kind === 'owner of an event trigger'
    ? owners
    : kind === 'grant' || kind === 'default privileges'
      ? grants
      : true;
}

function write(items: readonly Item[]): string {
  return `${head}\n${items.flatMap(item => item.statements.map(one => `${one};\n`)).join('\n')}`;
}
