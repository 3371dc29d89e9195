import type { ChunkSource, ListingRoot } from '../../../store/index.ts';
import { engineError } from '../../errors.ts';
import { readMarker, writeMarker } from '../marker.ts';
import { type Connection, openConnection } from './connection.ts';
import type { Outline } from './outline.ts';
import { checkVersion } from './server.ts';
import { listed, literal, quoted } from './sql.ts';
import type { MysqlTarget } from './types.ts';

type TargetState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'empty'; readonly comment: string }
  | { readonly kind: 'unfinished'; readonly isOurs: boolean; readonly comment: string };

/** Refuses a database that holds something: TARGET_NOT_EMPTY; a server that is none for it: DATABASE_UNSUPPORTED. Writes nothing. */
export async function checkMysqlTarget(
  target: MysqlTarget & { readonly source?: ChunkSource; readonly root?: ListingRoot },
): Promise<void> {
  const connection = await openConnection({ ...target, purpose: 'restore', uses: false });
  try {
    await lookAt(connection, target);
  } finally {
    connection.destroy();
  }
}

/** A database that is ready to be restored into, marked as unfinished. */
export interface OpenTarget {
  /** Takes the mark off; the comment becomes the one restored, or what it was in a database that was there. */
  finish(connection: Connection): Promise<void>;
}

/** Makes the database where it is absent, clears what a killed restore of the same snapshot left, and marks it. */
export async function openTarget(
  target: MysqlTarget,
  { facts, tables, sequences, objects }: Outline,
): Promise<OpenTarget> {
  const connection = await openConnection({ ...target, purpose: 'restore', uses: false });
  try {
    const state = await lookAt(connection, target);
    const known = [...tables, ...sequences, ...objects].map(({ name }) => name);
    if (state.kind === 'unfinished') await refuseMadeSince(connection, known);
    const isOurs = state.kind === 'absent' || (state.kind === 'unfinished' && state.isOurs);
    const before = state.kind === 'absent' ? '' : state.comment;
    const name = quoted(connection.database);
    const mark = commentOf(target.snapshot, { isOurs, before });
    const sets = `CHARACTER SET ${facts.characterSet} COLLATE ${facts.collation} COMMENT ${literal(mark)}`;
    // Rights on a database are by its name, and stay when it is dropped.
    const clears = state.kind === 'unfinished' ? [`DROP DATABASE ${name}`] : [];
    const makes =
      state.kind === 'empty' ? [`ALTER DATABASE ${name} ${sets}`] : [`CREATE DATABASE ${name} ${sets}`];
    await connection.run('make the database', [...clears, ...makes]);
    const comment = isOurs ? facts.comment : before || facts.comment;
    return {
      finish: last =>
        last.run('take the mark off the database', [`ALTER DATABASE ${name} COMMENT ${literal(comment)}`]),
    };
  } finally {
    await connection.close();
  }
}

/** What the snapshot does not have was made by somebody else meanwhile, and is not to go with what is begun again. */
async function refuseMadeSince(connection: Connection, known: readonly string[]): Promise<void> {
  const rows = await connection.texts(
    'look at the target',
    `SELECT TABLE_NAME AS n FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${literal(connection.database)}`,
  );
  const names = new Set(known.map(name => name.toLowerCase()));
  const others = rows.map(one => one['n']!).filter(name => !names.has(name.toLowerCase()));
  if (others.length === 0) return;
  throw engineError(
    'TARGET_NOT_EMPTY',
    `Cannot go on in ${connection.address}: beside an unfinished restore it holds ${listed(others)}, which the snapshot does not have`,
    { remedy: 'Move that elsewhere, or drop the database; then restore again.' },
  );
}

/** Characters of a database's comment. */
const commentMax = 1_024;

function commentOf(
  snapshot: string,
  { isOurs, before }: { readonly isOurs: boolean; readonly before: string },
): string {
  const mark = writeMarker({ snapshot, isOurs, comment: before === '' ? null : before });
  if (mark.length <= commentMax) return mark;
  throw engineError(
    'TARGET_FAILED',
    'Cannot mark the database as unfinished: its comment is too long to be kept',
    {
      remedy: 'Shorten the comment of the database, or drop the database: the restore makes it.',
    },
  );
}

async function lookAt(connection: Connection, target: MysqlTarget): Promise<TargetState> {
  const schema = literal(connection.database);
  const [server] = await connection.texts('look at the target', 'SELECT VERSION() AS v');
  checkVersion(connection, server?.['v'] ?? '');
  const [found] = await connection.texts(
    'look at the target',
    `SELECT SCHEMA_COMMENT AS c FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ${schema}`,
  );
  if (!found) return { kind: 'absent' };
  const marker = readMarker(found['c'] ?? '');
  if (marker?.snapshot === target.snapshot)
    return { kind: 'unfinished', isOurs: marker.isOurs, comment: marker.comment ?? '' };
  if (marker)
    throw engineError(
      'TARGET_NOT_EMPTY',
      `Cannot restore into ${connection.address}: it holds an unfinished restore of ${marker.snapshot.slice(0, 8)}`,
      {
        remedy: `Finish it: the same command, with ${marker.snapshot.slice(0, 8)} as its snapshot; or drop the database.`,
      },
    );
  const objects = await connection.texts(
    'look at the target',
    `SELECT TABLE_NAME AS n FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${schema}
     UNION ALL SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ${schema}
     UNION ALL SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ${schema} LIMIT 20`,
  );
  if (objects.length === 0) return { kind: 'empty', comment: found['c'] ?? '' };
  throw engineError(
    'TARGET_NOT_EMPTY',
    `Cannot restore into ${connection.address}: it holds ${listed(objects.map(one => one['n']!))}`,
    { remedy: 'Name an empty database, or one that does not exist yet.' },
  );
}
