import { type Context, keyOf, type ObjectKey } from './definitions.ts';
import { append } from './multimap.ts';
import { firstUserOid, isUserSchema, qualified } from './sql.ts';

interface FamilyRow {
  readonly oid: string;
  readonly name: string;
  readonly method: string;
  readonly owner: string;
}

interface ClassRow extends FamilyRow {
  readonly family: string;
  readonly type: string;
  readonly standard: 't' | 'f';
  readonly storage: string | null;
}

interface MemberRow {
  readonly catalog: 'pg_amop' | 'pg_amproc';
  readonly oid: string;
  readonly owner_catalog: string;
  readonly owner_oid: string;
  readonly what: string;
}

const owner = (column: string): string =>
  `pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(${column})) AS owner`;

/** Operator families and classes. What was added to a family alone comes once its classes are there. */
export async function readOperatorClasses(context: Context): Promise<void> {
  const { select, definitions, members } = context;
  const parts = await readParts(context);
  const families = await select<FamilyRow>(
    `SELECT f.oid, ${qualified('n', 'f.opfname')} AS name, pg_catalog.quote_ident(a.amname) AS method, ${owner('f.opfowner')}
     FROM pg_catalog.pg_opfamily f JOIN pg_catalog.pg_namespace n ON n.oid = f.opfnamespace
       JOIN pg_catalog.pg_am a ON a.oid = f.opfmethod WHERE f.oid >= ${firstUserOid} AND ${isUserSchema('n')}`,
  );
  for (const { oid, name, method, owner: role } of families) {
    const key = keyOf('pg_opfamily', oid);
    if (members.has(key)) continue;
    const label = `OPERATOR FAMILY ${name} USING ${method}`;
    definitions.add(
      { kind: 'operator family', name: `${name} ${method}`, statements: [`CREATE ${label}`] },
      key,
    );
    definitions.labels.set(key, label);
    definitions.owners.push({ label, role });
    const loose = parts.get(key) ?? [];
    if (loose.length === 0) continue;
    const statements = [`ALTER ${label} ADD\n  ${loose.map(one => one.what).join(',\n  ')}`];
    const keys = loose.map(one => keyOf(one.catalog, one.oid));
    definitions.add(
      { kind: 'operators of a family', name: `${name} ${method}`, statements, after: [key] },
      ...keys,
    );
  }
  await readClasses(context, parts);
}

async function readClasses(
  { select, definitions, members }: Context,
  parts: ReadonlyMap<ObjectKey, readonly MemberRow[]>,
): Promise<void> {
  const rows = await select<ClassRow>(
    `SELECT c.oid, ${qualified('n', 'c.opcname')} AS name, pg_catalog.quote_ident(a.amname) AS method, ${owner('c.opcowner')},
       ${qualified('fn', 'f.opfname')} AS family, pg_catalog.format_type(c.opcintype, NULL) AS type, c.opcdefault AS standard,
       CASE WHEN c.opckeytype <> 0 THEN pg_catalog.format_type(c.opckeytype, NULL) END AS storage
     FROM pg_catalog.pg_opclass c JOIN pg_catalog.pg_namespace n ON n.oid = c.opcnamespace
       JOIN pg_catalog.pg_am a ON a.oid = c.opcmethod JOIN pg_catalog.pg_opfamily f ON f.oid = c.opcfamily
       JOIN pg_catalog.pg_namespace fn ON fn.oid = f.opfnamespace WHERE c.oid >= ${firstUserOid} AND ${isUserSchema('n')}`,
  );
  for (const { oid, name, method, owner: role, family, type, standard, storage } of rows) {
    const key = keyOf('pg_opclass', oid);
    if (members.has(key)) continue;
    const own = parts.get(key) ?? [];
    // One of nothing is written with the storage that it has anyway.
    const list = [
      ...(storage === null && own.length > 0 ? [] : [`STORAGE ${storage ?? type}`]),
      ...own.map(one => one.what),
    ];
    const label = `OPERATOR CLASS ${name}`;
    const statements = [
      `CREATE ${label}${standard === 't' ? ' DEFAULT' : ''} FOR TYPE ${type} USING ${method} FAMILY ${family} AS\n  ${list.join(',\n  ')}`,
    ];
    const keys = own.map(one => keyOf(one.catalog, one.oid));
    definitions.add({ kind: 'operator class', name: `${name} ${method}`, statements }, key, ...keys);
    definitions.labels.set(key, `${label} USING ${method}`);
    definitions.owners.push({ label: `${label} USING ${method}`, role });
  }
}

/** Operators and functions, by the class or family that they are bound to. */
async function readParts({ select }: Context): Promise<Map<ObjectKey, MemberRow[]>> {
  const type = (oid: string): string => `pg_catalog.format_type(${oid}, NULL)`;
  const belongs = (
    catalog: string,
  ): string => `JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.${catalog}'::pg_catalog.regclass
      AND d.objid = m.oid AND d.refclassid IN ('pg_catalog.pg_opclass'::pg_catalog.regclass, 'pg_catalog.pg_opfamily'::pg_catalog.regclass)
      AND d.deptype IN ('a', 'i')`;
  const bound = `(SELECT relname FROM pg_catalog.pg_class WHERE oid = d.refclassid) AS owner_catalog, d.refobjid AS owner_oid`;
  const rows = await select<MemberRow>(
    `SELECT 'pg_amop' AS catalog, m.oid, ${bound}, m.amopstrategy AS number, pg_catalog.format('OPERATOR %s %s', m.amopstrategy,
         m.amopopr::pg_catalog.regoperator::text) || coalesce((SELECT ' FOR ORDER BY ' || ${qualified('sn', 's.opfname')}
           FROM pg_catalog.pg_opfamily s JOIN pg_catalog.pg_namespace sn ON sn.oid = s.opfnamespace WHERE s.oid = m.amopsortfamily), '') AS what
     FROM pg_catalog.pg_amop m ${belongs('pg_amop')} WHERE m.oid >= ${firstUserOid}
     UNION ALL SELECT 'pg_amproc', m.oid, ${bound}, m.amprocnum, pg_catalog.format('FUNCTION %s (%s, %s) %s', m.amprocnum,
         ${type('m.amproclefttype')}, ${type('m.amprocrighttype')}, m.amproc::pg_catalog.regprocedure::text)
     FROM pg_catalog.pg_amproc m ${belongs('pg_amproc')} WHERE m.oid >= ${firstUserOid}
     ORDER BY catalog, number, what`,
  );
  const parts = new Map<ObjectKey, MemberRow[]>();
  for (const row of rows) append(parts, keyOf(row.owner_catalog, row.owner_oid), row);
  return parts;
}
