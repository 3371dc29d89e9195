import { type CborValue, storeError } from '../../../../store/index.ts';
import { encodeFields, FieldReader, type FieldTable, isText } from '../../fields.ts';

/** The listing's version: what a reader must know to restore it. */
export const databaseFormatVersion = 1;

/** How text is compared and ordered in a database. */
export interface Collation {
  /** `c` libc, `i` ICU, `b` builtin. */
  readonly provider: string;
  readonly collate: string;
  readonly ctype: string;
  /** Of ICU and builtin; else null. */
  readonly locale: string | null;
  readonly icuRules: string | null;
  readonly version: string | null;
}

/**
 * What a listing says about the database it came from, beside its relations. Nothing that differs from one view of an
 * unchanged database to the next: that is in the manifest.
 */
export interface DatabaseRecord {
  readonly type: 'postgresql';
  readonly serverVersion: string;
  readonly serverVersionNumber: number;
  readonly database: string;
  readonly databaseOid: number;
  readonly encoding: string;
  readonly collation: Collation;
  readonly systemIdentifier: bigint;
  readonly timeline: number;
  /** When the server was started, µs since 1970-01-01 UTC. */
  readonly startedAtUs: bigint;
  /** 32 bytes. */
  readonly catalogFingerprint: Uint8Array;
  /** Which tool wrote the definitions. */
  readonly ddlSource: string;
  /** Settings under which the rows' text was made, and must be read. */
  readonly settings: readonly (readonly [string, string])[];
  /** Roles that own something here or may use it: they must exist where this is restored. */
  readonly roles: readonly string[];
  readonly comment: string | null;
  /** Statements that give the database its owner, settings and grants: what comes before its name, and after it. */
  readonly databaseSql: readonly (readonly [string, string])[];
  /** How large object pages were read: `pages` of pg_largeobject, or `calls` of lo_get where that is not permitted. */
  readonly largeObjectSource: 'pages' | 'calls' | null;
}

const fields: FieldTable<keyof DatabaseRecord | 'version'> = {
  version: 0,
  type: 1,
  serverVersion: 2,
  serverVersionNumber: 3,
  database: 4,
  databaseOid: 5,
  encoding: 6,
  collation: 7,
  systemIdentifier: 8,
  timeline: 9,
  startedAtUs: 10,
  catalogFingerprint: 11,
  ddlSource: 12,
  settings: 13,
  roles: 14,
  comment: 15,
  databaseSql: 16,
  largeObjectSource: 17,
};

const collationFields: FieldTable<keyof Collation> = {
  provider: 0,
  collate: 1,
  ctype: 2,
  locale: 3,
  icuRules: 4,
  version: 5,
};

export function encodeFacts(record: DatabaseRecord): CborValue {
  const { collation, settings, databaseSql, ...rest } = record;
  return encodeFields(fields, {
    ...rest,
    version: databaseFormatVersion,
    collation: encodeFields(collationFields, { ...collation }),
    settings: settings.map(([name, value]) => [name, value]),
    databaseSql: databaseSql.map(([before, after]) => [before, after]),
  });
}

/** STORE_NEWER where a later version wrote it, STORE_DAMAGED where it is no such record. */
export function decodeFacts(value: CborValue): DatabaseRecord {
  const what = 'facts of the database';
  const record = new FieldReader(fields, value, what);
  const version = record.number('version');
  const type = record.text('type');
  if (version !== databaseFormatVersion || type !== 'postgresql')
    throw storeError('STORE_NEWER', `Cannot read the database: it is ${type}, format ${version}`, {
      remedy: 'Use a newer version of this program.',
    });
  const collation = new FieldReader(collationFields, record.raw('collation'), what);
  const source = record.textOrNull('largeObjectSource');
  if (source !== null && source !== 'pages' && source !== 'calls')
    throw storeError('STORE_DAMAGED', `Cannot read ${what}: large objects by ${source}`);
  return {
    type,
    serverVersion: record.text('serverVersion'),
    serverVersionNumber: record.number('serverVersionNumber'),
    database: record.text('database'),
    databaseOid: record.number('databaseOid'),
    encoding: record.text('encoding'),
    collation: {
      provider: collation.text('provider'),
      collate: collation.text('collate'),
      ctype: collation.text('ctype'),
      locale: collation.textOrNull('locale'),
      icuRules: collation.textOrNull('icuRules'),
      version: collation.textOrNull('version'),
    },
    systemIdentifier: record.bigint('systemIdentifier'),
    timeline: record.number('timeline'),
    startedAtUs: record.bigint('startedAtUs'),
    catalogFingerprint: record.bytes('catalogFingerprint'),
    ddlSource: record.text('ddlSource'),
    settings: textPairs(record.list('settings')),
    roles: record.texts('roles'),
    comment: record.textOrNull('comment'),
    databaseSql: textPairs(record.list('databaseSql')),
    largeObjectSource: source,
  };
}

function textPairs(list: readonly CborValue[]): (readonly [string, string])[] {
  return list.map(pair => {
    const [first, second] = Array.isArray(pair) ? (pair as readonly CborValue[]) : [];
    if (!isText(first) || !isText(second))
      throw storeError('STORE_DAMAGED', 'Cannot read facts of the database: something is no pair of texts');
    return [first, second] as const;
  });
}
