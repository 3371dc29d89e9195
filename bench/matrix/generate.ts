import { diceFrom, namesFrom, text } from './dice.ts';
import { makeTable } from './generate-tables.ts';
import type { Making } from './making.ts';
import { arrayOf, builtinTypes, makeType } from './value-types.ts';

const roles = ['matrix_owner', 'matrix_reader', '"Odd ""Role"""', 'PUBLIC'];
const comment = `E'It''s \\\\ a "comment"\\n-- with; everything $$ ü'`;

/** The statements that make a schema with its rows, the same for the same seed. Runs as a superuser. */
export function randomSchema(seed: number): string[] {
  const dice = diceFrom(seed);
  const name = namesFrom(dice);
  const schemas = ['public', ...Array.from({ length: 1 + dice.below(2) }, name)];
  const making: Making = {
    ...{
      dice,
      name,
      sql: [],
      types: [...builtinTypes],
      tables: [],
      functions: [],
      triggerFunctions: [],
      readable: [],
    },
    qualified: () => `${dice.pick(schemas)}.${name()}`,
  };
  const { sql } = making;
  for (const schema of schemas.slice(1)) sql.push(`CREATE SCHEMA ${schema}`);
  const repeat = (most: number, body: () => void): void => {
    for (let left = dice.below(most + 1); left > 0; left -= 1) body();
  };
  repeat(5, () => addType(making));
  repeat(3, () => addFunction(making));
  repeat(5, () => makeTable(making));
  makeTable(making);
  repeat(4, () => addForeignKey(making));
  repeat(5, () => addIndex(making));
  repeat(4, () => addView(making));
  repeat(3, () => addTrigger(making));
  repeat(2, () => addLater(making));
  for (const schema of dice.some(schemas)) addPrivileges(making, schema);
  return sql;
}

function addType(making: Making): void {
  const { dice, types, sql, name } = making;
  const made = makeType(dice, { name: making.qualified(), types, fieldName: name });
  sql.push(...made.sql);
  types.push(made.type, ...(dice.oneIn(2) ? [arrayOf(made.type)] : []));
  // What is one's own is wanted more often than its share.
  types.push(made.type, made.type);
}

function addFunction(making: Making): void {
  const { dice, sql, functions, triggerFunctions } = making;
  const name = making.qualified();
  const tag = dice.pick(['$$', '$function$', '$_$']);
  if (dice.oneIn(3)) {
    sql.push(
      `CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS ${tag} BEGIN RETURN NEW; /* it's */ END ${tag}`,
    );
    triggerFunctions.push(name);
    return;
  }
  const body = dice.pick([
    `AS ${tag} SELECT $1 + 1; ${tag}`,
    'BEGIN ATOMIC SELECT CASE WHEN $1 > 3 THEN $1 ELSE 1 END; END',
    'RETURN $1 * 2',
  ]);
  sql.push(
    `CREATE FUNCTION ${name}(integer) RETURNS integer LANGUAGE sql IMMUTABLE ${dice.oneIn(2) ? 'STRICT PARALLEL SAFE' : ''} ${body}`,
  );
  if (dice.oneIn(2)) sql.push(`COMMENT ON FUNCTION ${name}(integer) IS ${comment}`);
  functions.push(name);
  if (dice.oneIn(3)) {
    const aggregate = making.qualified();
    sql.push(`CREATE AGGREGATE ${aggregate}(integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '7')`);
  }
}

/** In a circle as often as not: both tables are there before. */
function addForeignKey({ dice, sql, tables, name }: Making): void {
  const [from, to] = [dice.pick(tables), dice.pick(tables)];
  if (!to.key || from.rows > to.rows || !from.isLogged || !to.isLogged) return;
  const column = name();
  sql.push(
    `ALTER TABLE ${from.name} ADD COLUMN ${column} integer`,
    `UPDATE ${from.name} SET ${column} = CASE WHEN ${from.counter} % 3 <> 0 THEN ${from.counter} END`,
    `ALTER TABLE ${from.name} ADD CONSTRAINT ${name()} FOREIGN KEY (${column}) REFERENCES ${to.name} (${to.key})${dice.pick(
      [
        '',
        ' ON DELETE CASCADE',
        ' ON UPDATE SET NULL DEFERRABLE',
        ' DEFERRABLE INITIALLY DEFERRED',
        ' MATCH FULL ON DELETE SET DEFAULT',
      ],
    )}${from.isPartitioned ? '' : dice.pick(['', '', ' NOT VALID'])}`,
  );
}

function addIndex({ dice, sql, tables, functions, name }: Making): void {
  const table = dice.pick(tables);
  const sorted = table.columns.filter(one => one.type.isSorted);
  const column = sorted.length > 0 ? dice.pick(sorted).name : table.counter;
  const call = functions.length > 0 ? `${dice.pick(functions)}(${table.counter})` : `(${table.counter} + 1)`;
  const where = dice.oneIn(3) ? ` WHERE ${table.counter} > 3 AND ${column} IS NOT NULL` : '';
  const index = name();
  const list = dice.pick([
    column,
    `${column} DESC`,
    `${call}, ${column} NULLS FIRST`,
    `${column}) INCLUDE (${table.counter}`,
  ]);
  const method = dice.oneIn(4) ? ' USING brin' : '';
  const keys = method === '' ? list : table.counter;
  sql.push(
    `CREATE INDEX ${index} ON ${table.name}${method} (${keys})${dice.oneIn(4) && method === '' ? ' WITH (fillfactor = 71)' : ''}${where}`,
  );
  if (dice.oneIn(3)) sql.push(`COMMENT ON INDEX ${table.schema}.${index} IS ${comment}`);
  if (dice.oneIn(3) && !table.isPartitioned)
    sql.push(
      `CREATE STATISTICS ${table.schema}.${name()} ON ${table.counter}, (${table.counter} % 5) FROM ${table.name}`,
    );
}

function addView(making: Making): void {
  const { dice, sql, readable } = making;
  const view = making.qualified();
  const { name, column } = dice.pick(readable);
  const as = making.name();
  const query = dice.pick([
    `SELECT ${column} AS ${as}, count(*) FROM ${name} GROUP BY 1`,
    `SELECT a.${column} AS ${as}, row_number() OVER (ORDER BY a.${column}::text) FROM ${name} a LEFT JOIN ${dice.pick(readable).name} b ON true WHERE a.${column} IS NOT NULL`,
    `WITH x AS (SELECT * FROM ${name}) SELECT x.${column} AS ${as} FROM x UNION ALL SELECT NULL AS ${as}`,
    `SELECT DISTINCT ON (t.${column}::text) t.${column} AS ${as}, t AS whole FROM ${name} t ORDER BY t.${column}::text`,
  ]);
  const isStored = dice.oneIn(3);
  if (isStored)
    sql.push(
      `CREATE MATERIALIZED VIEW ${view} AS SELECT ${as}::text AS ${as} FROM (${query}) q${dice.oneIn(3) ? ' WITH NO DATA' : ''}`,
    );
  else {
    sql.push(`CREATE VIEW ${view}${dice.oneIn(4) ? ' WITH (security_barrier)' : ''} AS ${query}`);
    readable.push({ name: view, column: as });
  }
  const kind = isStored ? 'MATERIALIZED VIEW' : 'VIEW';
  if (dice.oneIn(2))
    sql.push(`COMMENT ON ${kind} ${view} IS ${comment}`, `COMMENT ON COLUMN ${view}.${as} IS ${comment}`);
  if (dice.oneIn(3)) sql.push(`GRANT SELECT ON ${view} TO ${dice.pick(roles)}`);
}

function addTrigger({ dice, sql, tables, triggerFunctions, name }: Making): void {
  if (triggerFunctions.length === 0) return;
  const table = dice.pick(tables);
  const trigger = name();
  const when = dice.oneIn(2) ? ` WHEN (NEW.${table.counter} > 5)` : '';
  sql.push(
    `CREATE TRIGGER ${trigger} ${table.isPartitioned ? 'AFTER' : dice.pick(['BEFORE', 'AFTER'])} INSERT OR UPDATE ON ${table.name} FOR EACH ROW${when} EXECUTE FUNCTION ${dice.pick(triggerFunctions)}('it''s', ${comment})`,
  );
  if (dice.oneIn(3))
    sql.push(
      `ALTER TABLE ${table.name} ${dice.pick(['DISABLE', 'ENABLE ALWAYS', 'ENABLE REPLICA'])} TRIGGER ${trigger}`,
    );
  if (dice.oneIn(3)) sql.push(`COMMENT ON TRIGGER ${trigger} ON ${table.name} IS ${comment}`);
}

/** What comes once rows are there: columns that old rows lack, policies, rules, publications. */
function addLater(making: Making): void {
  const { dice, sql, tables, name } = making;
  const table = dice.pick(tables);
  const type = dice.pick(builtinTypes);
  const column = name();
  switch (dice.below(5)) {
    case 0:
      sql.push(
        `ALTER TABLE ${table.name} ADD COLUMN ${column} ${type.sql} DEFAULT ${type.value.replaceAll(/\bi\b/g, '9')}`,
      );
      sql.push(`ALTER TABLE ${table.name} ALTER COLUMN ${column} SET DEFAULT ${type.initial}`);
      return;
    case 1:
      sql.push(`ALTER TABLE ${table.name} ENABLE ROW LEVEL SECURITY`);
      sql.push(
        `CREATE POLICY ${name()} ON ${table.name} FOR ${dice.pick(['ALL', 'SELECT', 'DELETE'])} TO ${dice.pick(roles)} USING (${table.counter} > 2)`,
      );
      return;
    case 2:
      if (table.isLogged) sql.push(`CREATE PUBLICATION ${name()} FOR TABLE ${table.name}`);
      return;
    case 3:
      sql.push(
        `CREATE RULE ${name()} AS ON DELETE TO ${table.name} WHERE OLD.${table.counter} = 3 DO ALSO SELECT ${text("it's")}, OLD.*`,
      );
      return;
    default:
      sql.push(`ALTER TABLE ${table.name} REPLICA IDENTITY FULL`);
  }
}

function addPrivileges({ dice, sql, tables }: Making, schema: string): void {
  sql.push(`GRANT USAGE ON SCHEMA ${schema} TO ${dice.pick(roles)}`);
  if (dice.oneIn(2)) sql.push(`COMMENT ON SCHEMA ${schema} IS ${comment}`);
  const role = dice.pick(roles);
  const target = dice.pick(['TABLES', 'SEQUENCES', 'FUNCTIONS']);
  sql.push(
    `ALTER DEFAULT PRIVILEGES FOR ROLE matrix_owner IN SCHEMA ${schema} GRANT ALL ON ${target} TO ${role}`,
  );
  for (const table of dice.some(tables)) {
    const privileges = dice.pick([
      'SELECT',
      'ALL',
      `SELECT (${table.counter}), UPDATE (${table.counter})`,
      'INSERT, DELETE',
    ]);
    sql.push(`GRANT ${privileges} ON ${table.name} TO ${dice.pick(roles)}`);
    if (dice.oneIn(3)) sql.push(`ALTER TABLE ${table.name} OWNER TO matrix_owner`);
    if (dice.oneIn(4))
      sql.push(`REVOKE TRUNCATE ON ${table.name} FROM ${dice.pick(['matrix_owner', 'postgres'])}`);
  }
}
