import { engineError } from '../../errors.ts';
import type { Connection } from './connection.ts';
import { literal, quoted } from './sql.ts';

/** What has a definition and no rows, in the order in which they are made. Views come after what they may call. */
export const objectClasses = [
  'package',
  'package body',
  'function',
  'procedure',
  'view',
  'trigger',
  'event',
] as const;
export type ObjectClass = (typeof objectClasses)[number];

/** The session in which a definition was written, and must be read again: null where it does not matter. */
export interface ObjectSession {
  readonly sqlMode: string | null;
  readonly characterSet: string | null;
  readonly connectionCollation: string | null;
  readonly databaseCollation: string | null;
  readonly timeZone: string | null;
}

export interface DatabaseObject extends ObjectSession {
  readonly class: ObjectClass;
  readonly name: string;
  /** `user@host` of whom it acts for. */
  readonly definer: string;
  /** Of a trigger among those of its table, of its time and event. */
  readonly order: number;
  /** The statement, in the bytes of its own character set. */
  readonly sql: Uint8Array;
}

/** How SHOW CREATE gives it: which column has the statement, and what the others are. */
interface Shown {
  readonly sql: number;
  readonly sqlMode?: number;
  readonly timeZone?: number;
  readonly characterSet: number;
}

const routine: Shown = { sql: 2, sqlMode: 1, characterSet: 3 };
const shown: Readonly<Record<ObjectClass, Shown>> = {
  package: routine,
  'package body': routine,
  function: routine,
  procedure: routine,
  view: { sql: 1, characterSet: 2 },
  trigger: routine,
  event: { sql: 3, sqlMode: 1, timeZone: 2, characterSet: 4 },
};

interface Listed {
  readonly class: ObjectClass;
  readonly name: string;
  readonly definer: string;
  readonly order: number;
}

/**
 * Reads every definition but those of tables and sequences, as they are now. Nothing else keeps them from changing than the
 * lock under which this runs.
 */
export async function readObjects(connection: Connection): Promise<DatabaseObject[]> {
  const objects: DatabaseObject[] = [];
  for (const one of await listObjects(connection)) {
    const what = `${one.class} ${one.name}`;
    const [row] = await connection.rows(
      `read the definition of ${what}`,
      `SHOW CREATE ${one.class.toUpperCase()} ${quoted(one.name)}`,
    );
    const columns = shown[one.class];
    const text = (at: number | undefined): string | null =>
      at === undefined ? null : (row?.[at]?.toString('utf8') ?? null);
    const sql = row?.[columns.sql];
    if (!sql)
      throw engineError(
        'DATABASE_RIGHTS',
        `Cannot read the definition of ${what}: the server does not show it`,
        {
          remedy:
            'Let the backup role read routines: GRANT SELECT ON mysql.proc (before 11.3), or GRANT SHOW CREATE ROUTINE.',
        },
      );
    objects.push({
      ...one,
      sql: Uint8Array.from(sql),
      sqlMode: text(columns.sqlMode),
      timeZone: text(columns.timeZone),
      characterSet: text(columns.characterSet),
      connectionCollation: text(columns.characterSet + 1),
      databaseCollation: one.class === 'view' ? null : text(columns.characterSet + 2),
    });
  }
  return objects;
}

async function listObjects(connection: Connection): Promise<Listed[]> {
  const schema = literal(connection.database);
  const rows = await connection.texts(
    'list views, routines, triggers and events',
    `SELECT 'view' AS c, TABLE_NAME AS n, DEFINER AS d, 0 AS o FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ${schema}
     UNION ALL SELECT LOWER(ROUTINE_TYPE), ROUTINE_NAME, DEFINER, 0 FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ${schema}
     UNION ALL SELECT 'trigger', TRIGGER_NAME, DEFINER, ACTION_ORDER FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ${schema}
     UNION ALL SELECT 'event', EVENT_NAME, DEFINER, 0 FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ${schema}`,
  );
  return rows.map(({ c, n, d, o }) => {
    const found = objectClasses.find(one => one === c);
    if (found) return { class: found, name: n!, definer: d ?? '', order: Number(o) };
    throw engineError(
      'DATABASE_UNSUPPORTED',
      `Cannot back up ${n}: it is a ${c}, which this program does not know`,
      {
        remedy: 'Use a newer version of this program.',
      },
    );
  });
}

/** Whether two readings found the same. */
export function sessionSql(session: ObjectSession): string[] {
  const { sqlMode, characterSet, connectionCollation, timeZone } = session;
  return [
    `SET SESSION sql_mode = ${literal(sqlMode ?? '')}`,
    // Only what the server can read as a client's; a view's statement is UTF-8 whatever it was written in.
    `SET SESSION character_set_client = ${characterSet ?? 'binary'}, collation_connection = ${connectionCollation ?? 'binary'}`,
    `SET SESSION time_zone = ${literal(timeZone ?? '+00:00')}`,
  ];
}
