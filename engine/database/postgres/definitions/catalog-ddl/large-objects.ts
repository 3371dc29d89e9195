import type { ClientBase } from 'pg';
import { grantStatements, type Privilege } from './acl.ts';
import type { CatalogDdlOptions } from './definitions.ts';
import { privilegeList } from './grants.ts';
import { withSettledText } from './query.ts';

interface ObjectRow {
  readonly oids: string;
  readonly owner: string;
  readonly granted: string | null;
  readonly initial: string;
}

/** Each one is locked until its transaction ends, and the lock table has room for some thousands. */
const objectsMax = 500;

/**
 * Writes the owners, grants and comments of large objects, for after these have been made. Each text is a transaction of
 * its own. They are read apart from the definitions because they come and go as rows do. Same terms as readCatalogDdl.
 */
export async function readLargeObjectDdl(
  client: ClientBase,
  options: CatalogDdlOptions = {},
): Promise<readonly string[]> {
  return withSettledText(client, async select => {
    const groups = await select<ObjectRow>(
      `SELECT g.oids, pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.lomowner)) AS owner,
         CASE WHEN g.lomacl IS NOT NULL THEN ${privilegeList('g.lomacl')} END AS granted,
         ${privilegeList(`pg_catalog.acldefault('L', g.lomowner)`)} AS initial
       FROM (SELECT lomowner, lomacl::text::aclitem[] AS lomacl, pg_catalog.json_agg(oid::text ORDER BY oid)::text AS oids, min(oid) AS first
         FROM pg_catalog.pg_largeobject_metadata GROUP BY lomowner, lomacl::text) AS g ORDER BY g.first`,
    );
    const comments = await select<{ oid: string; text: string }>(
      `SELECT objoid AS oid, pg_catalog.quote_literal(description) AS text FROM pg_catalog.pg_description
       WHERE classoid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass ORDER BY objoid`,
    );
    const spoken = comments.map(({ oid, text }) => `COMMENT ON LARGE OBJECT ${oid} IS ${text};`);
    return [
      ...batches(spoken).map(list => list.join('\n')),
      ...groups.flatMap(group => groupStatements(group, options)),
    ];
  });
}

function groupStatements(group: ObjectRow, { owners = true, grants = true }: CatalogDdlOptions): string[] {
  const oids = JSON.parse(group.oids) as string[];
  return batches(oids).flatMap(list => {
    const parts = list.map(oid => `LARGE OBJECT ${oid}`);
    const owner = owners ? parts.map(part => `ALTER ${part} OWNER TO ${group.owner};`) : [];
    if (!grants || group.granted === null) return owner.length === 0 ? [] : [owner.join('\n')];
    // GRANT takes a list, so one statement serves them all.
    const acl = grantStatements(
      { owner: group.owner, on: `ON LARGE OBJECT ${list.join(', ')}` },
      { from: JSON.parse(group.initial) as Privilege[], to: JSON.parse(group.granted) as Privilege[] },
    );
    return [[...owner, ...acl.map(one => `${one};`)].join('\n')];
  });
}

function batches<T>(list: readonly T[]): T[][] {
  const count = Math.ceil(list.length / objectsMax);
  return Array.from({ length: count }, (_, at) => list.slice(at * objectsMax, (at + 1) * objectsMax));
}
