import { type CborValue, type Fields, storeError } from '../../store/index.ts';

/** Of PostgreSQL's view. */
export interface PostgresMarks {
  readonly type: 'postgresql';
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly exportedSnapshot: string;
  readonly lsn: string;
  /** The pinned view's: transactions before xmin had ended, those from xmax on had not begun. */
  readonly xmin: bigint;
  readonly xmax: bigint;
  /** Everything up to the pin was on the server's disk: a later backup may build on this one. */
  readonly publishable: boolean;
}

/** Of what a command of the administrator printed. */
export interface CommandMarks {
  readonly type: 'command';
  /** `dump`: what it printed is stored. `id`: what it printed last names what somebody else keeps. */
  readonly output: 'dump' | 'id';
  /** For the restore command; null: there is none. */
  readonly id: string | null;
  /** Whether it ran while the application was held, or after it on what was pinned in the window. */
  readonly when: 'in-window' | 'pinned';
}

/** Of MariaDB's view; for people, nothing builds on it: rows are compared by what they hold. */
export interface MysqlMarks {
  readonly type: 'mysql';
  /** `mariadb-bin.000003:1234`; empty: there was no binary log, or it could not be seen. */
  readonly binlog: string;
  /** `0-1-4711`; empty likewise. */
  readonly gtid: string;
}

/** Of a kind that only a later version of this program knows. */
export interface UnknownMarks {
  readonly type: 'unknown';
  /** As its manifest calls it. */
  readonly kind: string;
  readonly value: CborValue | undefined;
}

/** What a manifest says of one kind of database alone: of the view that was read, mostly. Told apart by its type. */
export type DatabaseMarks = KnownMarks | UnknownMarks;
export type KnownMarks = PostgresMarks | CommandMarks | MysqlMarks;

/** How the marks of one kind stand in a manifest: the numbers of their fields in the map of the database. */
export interface MarksCodec<Marks extends DatabaseMarks> {
  encode(marks: Marks): ReadonlyMap<number, CborValue>;
  /** STORE_DAMAGED. */
  decode(fields: Fields): Marks;
}

/** The marks of PostgreSQL are fields of the database's map itself, as they were when there was no other kind. */
const postgres = {
  systemIdentifier: 10,
  timeline: 11,
  exportedSnapshot: 12,
  lsn: 13,
  xmin: 14,
  xmax: 15,
  publishable: 16,
} as const;

/** Where every other kind has its marks: a map whose numbers are its own. */
export const marksField = 17;

export const postgresMarks: MarksCodec<PostgresMarks> = {
  encode: marks =>
    new Map((Object.keys(postgres) as (keyof typeof postgres)[]).map(name => [postgres[name], marks[name]])),
  decode: fields => ({
    type: 'postgresql',
    systemIdentifier: fields.text(postgres.systemIdentifier),
    timeline: fields.integer(postgres.timeline),
    exportedSnapshot: fields.text(postgres.exportedSnapshot),
    lsn: fields.text(postgres.lsn),
    xmin: wide(fields, postgres.xmin),
    xmax: wide(fields, postgres.xmax),
    publishable: fields.boolean(postgres.publishable),
  }),
};

const command = { output: 1, id: 2, when: 3 } as const;

export const commandMarks: MarksCodec<CommandMarks> = {
  encode: ({ output, id, when }) =>
    new Map([
      [
        marksField,
        new Map<number, CborValue>([
          [command.output, output],
          ...(id === null ? [] : [[command.id, id] as const]),
          [command.when, when],
        ]),
      ],
    ]),
  decode(database) {
    const fields = database.fields(marksField);
    const [output, when] = [fields.text(command.output), fields.text(command.when)];
    if ((output !== 'dump' && output !== 'id') || (when !== 'in-window' && when !== 'pinned'))
      throw storeError('STORE_DAMAGED', 'Cannot read a manifest: the marks of its dump are malformed');
    return { type: 'command', output, when, id: fields.has(command.id) ? fields.text(command.id) : null };
  },
};

export const mysqlMarks: MarksCodec<MysqlMarks> = {
  encode: ({ binlog, gtid }) =>
    new Map([
      [
        marksField,
        new Map([
          [1, binlog],
          [2, gtid],
        ]),
      ],
    ]),
  decode: fields => {
    const own = fields.fields(marksField);
    return { type: 'mysql', binlog: own.text(1), gtid: own.text(2) };
  },
};

/** Marks that this version does not know are kept as they are. */
export const unknownMarks = {
  encode: ({ value }: UnknownMarks): ReadonlyMap<number, CborValue> =>
    new Map(value === undefined ? [] : [[marksField, value]]),
  decode: (fields: Fields, kind: string): UnknownMarks => ({
    type: 'unknown',
    kind,
    value: fields.has(marksField) ? fields.value(marksField) : undefined,
  }),
};

/** A 64-bit number, as transaction ids are. */
function wide(fields: Fields, number: number): bigint {
  const value = fields.value(number);
  if (typeof value === 'bigint' || typeof value === 'number') return BigInt(value);
  throw storeError(
    'STORE_DAMAGED',
    `Cannot read a manifest: field ${number} holds something that is no number`,
  );
}
