import type { Connection } from './connection.ts';
import { literal, quoted } from './sql.ts';

/**
 * Who has rights on the database, as statements for people: nothing runs them. Empty where the role may not see them; no
 * password is among what is read.
 */
export async function readGrants(connection: Connection): Promise<string[]> {
  const schema = literal(connection.database);
  const name = quoted(connection.database);
  const rows = await connection.texts(
    'read who has rights',
    `SELECT GRANTEE AS g, NULL AS t, NULL AS c, GROUP_CONCAT(PRIVILEGE_TYPE ORDER BY 1 SEPARATOR ', ') AS p, MAX(IS_GRANTABLE) AS o
       FROM information_schema.SCHEMA_PRIVILEGES WHERE ${schema} LIKE TABLE_SCHEMA GROUP BY GRANTEE
     UNION ALL SELECT GRANTEE, TABLE_NAME, NULL, GROUP_CONCAT(PRIVILEGE_TYPE ORDER BY 1 SEPARATOR ', '), MAX(IS_GRANTABLE)
       FROM information_schema.TABLE_PRIVILEGES WHERE TABLE_SCHEMA = ${schema} GROUP BY GRANTEE, TABLE_NAME
     UNION ALL SELECT GRANTEE, TABLE_NAME, COLUMN_NAME, GROUP_CONCAT(PRIVILEGE_TYPE ORDER BY 1 SEPARATOR ', '), MAX(IS_GRANTABLE)
       FROM information_schema.COLUMN_PRIVILEGES WHERE TABLE_SCHEMA = ${schema} GROUP BY GRANTEE, TABLE_NAME, COLUMN_NAME
     ORDER BY g, t, c`,
  );
  return rows.map(({ g, t, c, p, o }) => {
    const rights =
      c === null || c === undefined
        ? p
        : p!
            .split(', ')
            .map(right => `${right} (${quoted(c)})`)
            .join(', ');
    const object = t === null || t === undefined ? '*' : quoted(t);
    return `GRANT ${rights} ON ${name}.${object} TO ${g}${o === 'YES' ? ' WITH GRANT OPTION' : ''}`;
  });
}
