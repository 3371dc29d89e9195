import type { ClientBase } from 'pg';

/** Catalog → what is asked of it. */
export type ImagePlan = ReadonlyMap<string, string>;

/** Reads from the catalogs how the catalogs are made. */
export async function planImage(client: ClientBase): Promise<ImagePlan> {
  const { rows: catalogs } = await client.query<Catalog>(
    `SELECT c.relname AS name, json_agg(json_build_object('name', a.attname, 'type', a.atttypid::regtype::text)) AS columns
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
     WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND NOT c.relisshared GROUP BY 1`,
  );
  const { rows: references } = await client.query<Reference>(
    `SELECT fktable::text AS "from", fkcols AS columns, pktable::text AS "to", is_array AS "isArray"
     FROM pg_get_catalog_foreign_keys()`,
  );
  return new Map(
    catalogs
      .filter(({ name }) => !leftOut.includes(name))
      .map(catalog => [catalog.name, special[catalog.name] ?? rowsOf(catalog, references)] as const),
  );
}

/**
 * Everything that the catalogs of a database say of user objects, without oids: catalog → its rows, sorted. It is made by
 * rule from the catalogs' own description of themselves, so that it shares no knowledge with the reader under test and a
 * column that nobody thought of is compared too.
 */
export async function catalogImage(client: ClientBase, plan?: ImagePlan): Promise<Map<string, string[]>> {
  const known = plan ?? (await planImage(client));
  const results: unknown = await client.query([...known.values()].join(';\n'));
  const texts = (results as { rows: { row: string }[] }[]).map(({ rows }) =>
    rows.map(({ row }) => row.replace(madeNames, '$1_#')).sort(),
  );
  return new Map([...known.keys()].map((name, at) => [name, texts[at]!]));
}

/** The lines in which two images differ. */
export function differences(a: Map<string, string[]>, b: Map<string, string[]>): string[] {
  return [...a.keys()].flatMap(name => {
    const [left, right] = [a.get(name) ?? [], b.get(name) ?? []];
    return [
      ...left.filter(row => !right.includes(row)).map(row => `- ${name} ${row}`),
      ...right.filter(row => !left.includes(row)).map(row => `+ ${name} ${row}`),
      ...(left.length === right.length ? [] : [`${name}: ${left.length} rows, then ${right.length}`]),
    ];
  });
}

interface Catalog {
  readonly name: string;
  readonly columns: { readonly name: string; readonly type: string }[];
}

interface Reference {
  readonly from: string;
  readonly columns: string[];
  readonly to: string;
  readonly isArray: boolean;
}

/** Names that hold an oid. */
const madeNames = /\b(RI_ConstraintTrigger_[ac]|(?:PK|Unique)_ConstraintTrigger|pg_toast)_\d+/g;

/** Data, figures about data, and what belongs to the system alone. */
const leftOut = [
  ...['pg_statistic', 'pg_statistic_ext_data', 'pg_largeobject', 'pg_largeobject_metadata', 'pg_init_privs'],
];

const identify = (classid: string, oid: string, part = '0'): string =>
  `(SELECT identity FROM pg_identify_object(${classid}, ${oid}, ${part}))`;

const special: Readonly<Record<string, string>> = {
  pg_depend: `SELECT DISTINCT concat_ws(' | ', ${identify('classid', 'objid', 'objsubid')}, deptype, refclassid::regclass,
    ${identify('refclassid', 'refobjid', 'refobjsubid')}) AS row FROM pg_depend WHERE objid >= 16384
      AND refclassid <> 'pg_transform'::regclass`, // only of functions that are newer than it,
  pg_description: `SELECT concat_ws(' | ', classoid::regclass, ${identify('classoid', 'objoid', 'objsubid')}, description) AS row
    FROM pg_description WHERE objoid >= 16384 OR (objoid = 2200 AND classoid = 'pg_namespace'::regclass)`,
  pg_seclabel: `SELECT concat_ws(' | ', ${identify('classoid', 'objoid', 'objsubid')}, label) AS row FROM pg_seclabel`,
};

/** Which rows belong to users, where the catalog has no oid of its own. */
const owners: Readonly<Record<string, string>> = {
  ...{ pg_attribute: 'attrelid', pg_index: 'indexrelid', pg_inherits: 'inhrelid', pg_range: 'rngtypid' },
  ...{ pg_sequence: 'seqrelid', pg_partitioned_table: 'partrelid', pg_aggregate: 'aggfnoid' },
  ...{ pg_foreign_table: 'ftrelid', pg_ts_config_map: 'mapcfg', pg_subscription_rel: 'srrelid' },
};

/** An access list as the privileges that it gives, whether it is written down or not. */
const acl = (list: string, letter: string, owner: string): string =>
  `(SELECT json_agg(to_json(e) ORDER BY e.grantee::regrole::text, e.grantor::regrole::text, e.privilege_type)
    FROM (SELECT grantor::regrole::text, grantee::regrole, privilege_type, is_grantable
      FROM aclexplode(coalesce(${list}, acldefault(${letter}, ${owner})))) e)`;

/** null: volatile, or different on purpose. */
const columnSql: Readonly<Record<string, string | null>> = {
  'pg_class.relfilenode': null,
  'pg_class.relpages': null,
  'pg_class.reltuples': null,
  'pg_class.relallvisible': null,
  'pg_class.relallfrozen': null,
  'pg_class.relfrozenxid': null,
  'pg_class.relminmxid': null,
  'pg_class.relhasindex': null, // and these are true until somebody looks again
  'pg_class.relhastriggers': null,
  'pg_class.relhasrules': null,
  'pg_class.relnatts': null, // counts dropped columns
  'pg_class.relispopulated': null, // REFRESH is the loader's
  'pg_class.reltoastrelid': 'x.reltoastrelid <> 0',
  'pg_class.relacl': acl('x.relacl', `CASE x.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char"`, 'x.relowner'),
  'pg_class.relpartbound': 'pg_get_expr(x.relpartbound, x.oid)',
  'pg_attribute.attnum': 'row_number() OVER (PARTITION BY x.attrelid ORDER BY x.attnum)',
  'pg_attribute.attndims': null, // says nothing, and no tool keeps it
  'pg_type.typndims': null,
  'pg_attribute.attcacheoff': null,
  // Newer minor releases keep a number of their own there.
  'pg_attribute.attoptions': `ARRAY(SELECT o FROM unnest(x.attoptions) o WHERE split_part(o, '=', 1) <> 'pg_attver')`,
  'pg_attribute.atthasmissing': null,
  'pg_attribute.attmissingval': null,
  'pg_attribute.attacl': acl('x.attacl', `'c'`, '10'),
  'pg_type.typdefaultbin': 'pg_get_expr(x.typdefaultbin, 0)',
  // Written with the names that the session could leave short; the expression itself is compared.
  'pg_type.typdefault': 'CASE WHEN x.typdefaultbin IS NULL THEN x.typdefault END',
  'pg_type.typacl': acl('x.typacl', `'T'`, 'x.typowner'),
  'pg_proc.proargdefaults': 'pg_get_function_arguments(x.oid)',
  'pg_proc.prosqlbody': 'pg_get_function_sqlbody(x.oid)',
  'pg_proc.proacl': acl('x.proacl', `'f'`, 'x.proowner'),
  'pg_namespace.nspacl': acl('x.nspacl', `'n'`, 'x.nspowner'),
  'pg_language.lanacl': acl('x.lanacl', `'l'`, 'x.lanowner'),
  'pg_foreign_data_wrapper.fdwacl': acl('x.fdwacl', `'F'`, 'x.fdwowner'),
  'pg_foreign_server.srvacl': acl('x.srvacl', `'S'`, 'x.srvowner'),
  'pg_default_acl.defaclacl': acl('x.defaclacl', `'r'`, 'x.defaclrole'),
  'pg_foreign_data_wrapper.fdwoptions': '(SELECT array_agg(o ORDER BY o) FROM unnest(x.fdwoptions) o)',
  'pg_foreign_server.srvoptions': '(SELECT array_agg(o ORDER BY o) FROM unnest(x.srvoptions) o)',
  'pg_policy.polroles':
    '(SELECT array_agg(r::regrole::text ORDER BY r::regrole::text) FROM unnest(x.polroles) r)',
  'pg_attrdef.adbin': 'pg_get_expr(x.adbin, x.adrelid)',
  // A partition's key made alone and attached later says true, one made with the whole's says false; nothing asks.
  'pg_constraint.connoinherit': `x.connoinherit AND x.contype IN ('c', 'n')`,
  'pg_constraint.conbin': 'pg_get_constraintdef(x.oid)',
  'pg_index.indexprs': 'pg_get_indexdef(x.indexrelid)',
  'pg_index.indpred': null, // in the definition
  'pg_index.indcheckxmin': null,
  'pg_rewrite.ev_action': 'pg_get_ruledef(x.oid)',
  'pg_rewrite.ev_qual': null, // in the definition
  'pg_trigger.tgqual': 'pg_get_triggerdef(x.oid)',
  'pg_statistic_ext.stxexprs': 'pg_get_statisticsobjdef_expressions(x.oid)',
  'pg_partitioned_table.partexprs': 'pg_get_partkeydef(x.partrelid)',
  'pg_enum.oid': null,
  'pg_enum.enumsortorder': 'row_number() OVER (PARTITION BY x.enumtypid ORDER BY x.enumsortorder)',
};

function rowsOf(catalog: Catalog, references: readonly Reference[]): string {
  const { name, columns } = catalog;
  const key = columns.some(column => column.name === 'oid') ? 'oid' : owners[name];
  if (!key) throw new Error(`how to tell users' rows in ${name}?`);
  const parts = columns.flatMap(column => {
    const sql = columnSql[`${name}.${column.name}`];
    const expression = sql === undefined ? plainColumn(name, column, references) : sql;
    return expression === null ? [] : [`'${column.name}', ${expression}`];
  });
  const also = name === 'pg_namespace' ? `OR nspname = 'public'` : '';
  const live =
    name === 'pg_attribute'
      ? 'AND attnum > 0 AND NOT attisdropped'
      : name === 'pg_namespace'
        ? "AND nspname !~ '^pg_(toast_)?temp_'"
        : '';
  return `SELECT jsonb_build_object(${parts.join(', ')})::text AS row FROM ${name} x WHERE (x.${key} >= 16384 ${also}) ${live}`;
}

function plainColumn(
  catalog: string,
  column: { name: string; type: string },
  references: readonly Reference[],
): string {
  const at = `x.${column.name}`;
  if (column.name === 'oid') return identify(`'${catalog}'::regclass`, at);
  if (column.type === 'pg_node_tree') return `${at} IS NULL`;
  const found = references.find(
    ({ from, columns }) => from === catalog && columns[columns.length - 1] === column.name,
  );
  if (!found) {
    if (/^(oid|xid|regproc|aclitem)/.test(column.type)) throw new Error(`what is ${catalog}.${column.name}?`);
    return column.type === 'bytea' ? `encode(${at}, 'escape')` : at;
  }
  if (found.to === 'pg_attribute') {
    const relation = `x.${found.columns[0]}`;
    const nameOf = (number: string): string =>
      `(SELECT attname FROM pg_attribute WHERE attrelid = ${relation} AND attnum = ${number})`;
    if (!found.isArray) return nameOf(at);
    return `(SELECT json_agg(${nameOf('u.k')} ORDER BY u.nr) FROM unnest(${at}::int2[]) WITH ORDINALITY u(k, nr))`;
  }
  const object = (oid: string): string =>
    `CASE WHEN ${oid} <> 0 THEN ${identify(`'${found.to}'::regclass`, oid)} END`;
  if (!found.isArray) return object(at);
  return `(SELECT json_agg(${object('u.k')} ORDER BY u.nr) FROM unnest(${at}::oid[]) WITH ORDINALITY u(k, nr))`;
}
