import type { Connection } from './connection.ts';
import { literal, quoted } from './sql.ts';

interface ForeignKey {
  readonly name: string;
  readonly table: string;
  readonly parent: { readonly schema: string; readonly table: string };
  readonly columns: { readonly own: string; readonly theirs: string }[];
}

/** Warnings for rows that refer to none: they were so where they come from, since the rows are proven to be the same. */
export async function checkForeignKeys(connection: Connection): Promise<string[]> {
  const warnings: string[] = [];
  for (const key of await readForeignKeys(connection)) {
    const { parent, columns } = key;
    const on = columns.map(({ own, theirs }) => `c.${quoted(own)} = p.${quoted(theirs)}`).join(' AND ');
    const given = columns.map(({ own }) => `c.${quoted(own)} IS NOT NULL`).join(' AND ');
    const found = await connection
      .texts(
        `check the key ${key.name}`,
        `SELECT COUNT(*) AS n FROM ${quoted(key.table)} c LEFT JOIN ${quoted(parent.schema)}.${quoted(parent.table)} p ON ${on}
         WHERE ${given} AND p.${quoted(columns[0]!.theirs)} IS NULL`,
      )
      .catch(() => undefined); // of another database, which may not be there
    const count = found?.[0]?.['n'];
    if (count === undefined)
      warnings.push(`The foreign key ${key.name} of ${key.table} could not be checked.`);
    else if (count !== '0')
      warnings.push(
        `The key ${key.name} of ${key.table} leads nowhere in ${count} of its rows, as it did when they were backed up.`,
      );
  }
  return warnings;
}

async function readForeignKeys(connection: Connection): Promise<ForeignKey[]> {
  const rows = await connection.texts(
    'read the foreign keys',
    `SELECT CONSTRAINT_NAME AS k, TABLE_NAME AS t, COLUMN_NAME AS c, REFERENCED_TABLE_SCHEMA AS s,
       REFERENCED_TABLE_NAME AS r, REFERENCED_COLUMN_NAME AS d
     FROM information_schema.KEY_COLUMN_USAGE
     WHERE TABLE_SCHEMA = ${literal(connection.database)} AND REFERENCED_TABLE_NAME IS NOT NULL
     ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION`,
  );
  const keys = new Map<string, ForeignKey>();
  for (const { k, t, c, s, r, d } of rows) {
    const id = `${t}\0${k}`;
    const key = keys.get(id) ?? { name: k!, table: t!, parent: { schema: s!, table: r! }, columns: [] };
    keys.set(id, key);
    key.columns.push({ own: c!, theirs: d! });
  }
  return [...keys.values()];
}
