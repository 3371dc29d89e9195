import { type ChunkSource, type ListingRoot, StillpointError } from '../../../../store/index.ts';
import { engineError } from '../../../errors.ts';
import { type Marker, readMarker, writeMarker } from '../../marker.ts';
import { listed } from '../catalog/rights.ts';
import type { Connection } from '../connect/connection.ts';
import { databaseNameOf, openConnection } from '../connect/open-connection.ts';
import type { DatabaseRecord } from '../entries/facts-entry.ts';
import type { Outline } from '../outline/outline.ts';
import { isOwnerPair } from '../outline/owners.ts';
import { readWanted } from '../outline/wanted.ts';
import { identifier, literal } from '../sql/quoting.ts';
import type { PostgresTarget } from '../types.ts';
import { isOccupied, lookBeside } from './alongside.ts';
import { checkServer } from './check-server.ts';
import { clearDatabase, dropSubscriptions } from './clear.ts';
import { createDatabase } from './create-database.ts';
import { refuseMadeSince } from './made-since.ts';
import { userObjectsSql } from './user-objects.ts';

/** What a restore finds where it is to go. */
type TargetState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'empty'; readonly comment: string | null }
  | { readonly kind: 'unfinished'; readonly marker: Marker };

/**
 * Refuses a database that holds something: TARGET_NOT_EMPTY. Told what is to be restored, it refuses a server that cannot
 * take it, too: DATABASE_UNSUPPORTED, TARGET_FAILED. Writes nothing.
 */
export async function checkPostgresTarget(
  target: PostgresTarget & { readonly source?: ChunkSource; readonly root?: ListingRoot },
): Promise<void> {
  const { source, root } = target;
  const wanted = source && root ? await readWanted({ ...target, source, root }) : undefined;
  if (wanted) await checkServer(target, wanted);
  await using connection = await connectIfThere(target);
  if (connection && wanted && target.wish?.isAlongside && (await isOccupied(connection)))
    return void (await lookBeside(connection, wanted));
  const state = await lookAt(connection, target);
  if (!wanted) return;
  if (state.kind === 'empty') await compareDatabases(connection!, wanted.record);
  if (state.kind === 'unfinished') await refuseMadeSince(connection!, wanted.relations);
}

/** A database that is ready to be restored into, marked as unfinished. */
export interface OpenTarget {
  readonly name: string;
  readonly warnings: readonly string[];
  /** Takes the marker off; the comment becomes the one restored, else what it was. */
  finish(connection: Connection): Promise<void>;
}

/** Makes the database where it is absent, clears what a killed restore of the same snapshot left, and marks it. */
export async function openTarget(
  target: PostgresTarget,
  { record, relations }: Pick<Outline, 'record' | 'relations'>,
): Promise<OpenTarget> {
  let isOurs = false;
  let comment: string | null = null;
  const name = await (async () => {
    await using connection = await connectIfThere(target);
    const state = await lookAt(connection, target);
    const named = await databaseNameOf(target);
    if (state.kind === 'empty') ({ comment } = state);
    if (state.kind === 'unfinished') {
      await refuseMadeSince(connection!, relations);
      ({ isOurs, comment } = state.marker);
    }
    if (state.kind === 'unfinished' && !isOurs) await clearDatabase(connection!);
    if (state.kind === 'absent' || (state.kind === 'unfinished' && isOurs)) {
      if (connection) await dropSubscriptions(connection);
      await connection?.close();
      await createDatabase(target, { name: named, record, dropFirst: state.kind === 'unfinished' });
      isOurs = true;
    }
    return named;
  })();
  await using connection = await openConnection({ ...target, purpose: 'restore' });
  const warnings = await compareDatabases(connection, record);
  // One that an administrator made has its own owner on purpose.
  const ownedAlready = record.databaseSql.filter(pair => !isOwnerPair(pair));
  if (!isOurs && ownedAlready.length > 0)
    warnings.push(
      `The database was there already, so it keeps its own settings and grants instead of: ${ownedAlready
        .map(([before, after]) => `${before}${record.database}${after}`)
        .join('; ')}`,
    );
  await connection.script('mark the database', [
    `COMMENT ON DATABASE ${identifier(name)} IS ${literal(writeMarker({ snapshot: target.snapshot, isOurs, comment }))}`,
  ]);
  return {
    name,
    warnings,
    async finish(last) {
      const text = isOurs ? record.comment : (comment ?? record.comment);
      await last.script('take the mark off the database', [
        ...(isOurs
          ? record.databaseSql.map(([before, after]) => `${before}${identifier(name)}${after}`)
          : []),
        `COMMENT ON DATABASE ${identifier(name)} IS ${text === null ? 'NULL' : literal(text)}`,
      ]);
    },
  };
}

async function connectIfThere(target: PostgresTarget): Promise<Connection | undefined> {
  try {
    return await openConnection({ ...target, purpose: 'restore' });
  } catch (error) {
    if (error instanceof StillpointError && error.context['sqlState'] === '3D000') return undefined;
    throw error;
  }
}

async function lookAt(connection: Connection | undefined, target: PostgresTarget): Promise<TargetState> {
  if (!connection) return { kind: 'absent' };
  const [row] = await connection.rows<{ comment: string | null; isTemplate: boolean; objects: string[] }>(
    'look at the target',
    `SELECT (SELECT pg_catalog.shobj_description(oid, 'pg_database') FROM pg_catalog.pg_database
        WHERE datname = pg_catalog.current_database()) AS comment,
      (SELECT datistemplate FROM pg_catalog.pg_database
        WHERE datname = pg_catalog.current_database()) AS "isTemplate",
      ARRAY(${userObjectsSql} LIMIT 20) AS objects`,
  );
  const { comment, isTemplate, objects } = row!;
  if (isTemplate)
    throw engineError(
      'TARGET_NOT_EMPTY',
      `Cannot restore into ${connection.address}: it is a template, of which new databases are copies`,
      { remedy: 'Name a database of its own; one that does not exist yet is made.' },
    );
  const marker = readMarker(comment);
  if (marker?.snapshot === target.snapshot) return { kind: 'unfinished', marker };
  if (marker)
    throw engineError(
      'TARGET_NOT_EMPTY',
      `Cannot restore into ${connection.address}: it holds an unfinished restore of ${marker.snapshot.slice(0, 8)}`,
      {
        remedy: `Finish it: the same command, with ${marker.snapshot.slice(0, 8)} as its snapshot; or drop the database.`,
      },
    );
  if (objects.length === 0) return { kind: 'empty', comment };
  throw engineError(
    'TARGET_NOT_EMPTY',
    `Cannot restore into ${connection.address}: it holds ${listed(objects)}`,
    {
      remedy: 'Name an empty database, or one that does not exist yet.',
    },
  );
}

/** The encoding must be the same; another collation is worth a word. */
async function compareDatabases(connection: Connection, record: DatabaseRecord): Promise<string[]> {
  const [row] = await connection.rows<{ encoding: string; collate: string; ctype: string }>(
    'look at the target',
    `SELECT pg_catalog.pg_encoding_to_char(encoding) AS encoding, datcollate AS collate, datctype AS ctype
     FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()`,
  );
  const { encoding, collate, ctype } = row!;
  if (encoding !== record.encoding)
    throw engineError(
      'TARGET_FAILED',
      `Cannot restore into ${connection.address}: its encoding is ${encoding}, the backup's ${record.encoding}`,
      { remedy: 'Drop it: the restore creates it with the right encoding.' },
    );
  if (collate === record.collation.collate && ctype === record.collation.ctype) return [];
  return [
    `The database sorts text by ${collate}/${ctype}; the one backed up did by ${record.collation.collate}/${record.collation.ctype}.`,
  ];
}
