import type { Mutant, Patch } from './mutant.ts';

/** A guard of the copy of rows that is taken out. */
export interface GuardMutant extends Mutant {
  /** What it guards against, and how. */
  readonly event: string;
  readonly guard: string;
  /** Of the file in caughtBy: the test that must fail. */
  readonly test: string;
  /** Why random changes (`npm run bench:fuzz-rows -- --guards`) cannot show it; absent: they must. */
  readonly notByFuzz?: string;
}

const postgres = (file: string, find: string, replace: string): Patch => ({
  file: `engine/database/postgres/${file}`,
  find,
  replace,
});

type Given = Omit<GuardMutant, 'patches' | 'caughtBy'> & { readonly file: string };

function guard({ file, ...given }: Given, ...patches: readonly Patch[]): GuardMutant {
  return { ...given, patches, caughtBy: [`test/engine/database/postgres/${file}.test.js`] };
}

const meaning = {
  file: 'changes/guards',
  test: 'what gives rows another meaning or another place, though they are as old and as many as they were',
} as const;
const afterPin = {
  file: 'source/pin',
  test: 'what happens after the pin is not in the backup, and harms it in no way',
} as const;
const otherServer = {
  file: 'changes/guards',
  test: 'another server, another life of it, a base that was not published or is newer: nothing of it is used',
} as const;
const roundTrip = { file: 'round-trip', test: 'everything comes back equal' } as const;
const setBack = 'the data folder or the machine was set back; fail-over; point-in-time recovery';
const byStart = 'a server that was set back has another start time, which shows first';

/** Every event that is known to give silent wrong rows in some design, with what keeps it from doing so here. */
export const guardMutants: readonly GuardMutant[] = [
  guard(
    {
      name: 'files are not told apart',
      event: 'VACUUM FULL, CLUSTER, TRUNCATE, a rewriting ALTER, pg_repack',
      guard: 'the number of the file is part of what makes a table the same',
      breaks: 'a table that was written anew counts as the one that it was',
      ...meaning,
    },
    postgres('changes/table-state.js', 'key.filenode === relation.filenode &&', ''),
  ),
  guard(
    {
      name: 'definitions are not compared',
      event: 'ADD COLUMN DEFAULT, DROP COLUMN, a type change without rewrite',
      guard: 'a fingerprint of the columns, with the values of rows that lack them',
      breaks: 'rows count as what they were under other columns',
      ...meaning,
    },
    postgres('changes/table-state.js', 'Buffer.compare(key.definition, definition) === 0 &&', ''),
  ),
  guard(
    {
      name: 'types are not looked into',
      event: 'an enum label renamed, also below arrays, domains and composites; a composite changed',
      guard: 'the fingerprint takes in types, to any depth',
      breaks: 'a table is the same whatever became of its types',
      ...meaning,
    },
    postgres(
      'catalog/definition.js',
      'JSON.stringify([row.columns, used.map(type => [type?.oid, type?.detail])])',
      'JSON.stringify([row.columns])',
    ),
  ),
  guard(
    {
      name: 'names in rows do not count',
      event: 'an object renamed that reg* values name',
      guard: 'a fingerprint of all catalogs, for tables with such values',
      breaks: 'rows that name objects are kept under the old names',
      ...meaning,
    },
    postgres('catalog/definition.js', 'if (namesObjects)', 'if (false)'),
  ),
  guard(
    {
      name: 'names of roles in rows do not count',
      event: 'a role or database renamed that regrole, aclitem or regdatabase values name',
      guard: 'such a table is read whole each time: no catalog of the database tells',
      breaks: 'rows that name roles are kept under the old names',
      file: 'changes/guards',
      test: 'names of roles, in rows, of which no catalog of the database knows',
    },
    postgres('source/view.js', '.filter(([, definition]) => !definition.namesShared)', ''),
  ),
  guard(
    {
      name: 'roles renamed after the pin do not count',
      event: 'the same, while rows are read',
      guard: 'names are compared once the rows are read',
      breaks: 'equal catalogs are taken for equal names of roles',
      file: 'changes/guards',
      test: 'names of roles, in rows, of which no catalog of the database knows',
    },
    postgres('source/view.js', 'if (isTold && Buffer.compare', 'if (Buffer.compare'),
  ),
  guard(
    {
      name: 'types changed after the pin do not count',
      event: 'a type changed, or an object renamed, while rows are read',
      guard: 'definitions are compared once the rows are read',
      breaks: 'rows that were written by the new definitions pass for those of the pin',
      file: 'changes/increments',
      test: 'a type or a name that is changed after the pin ends the run',
    },
    postgres('source/finish.js', 'if (changed.length > 0)', 'if (false)'),
  ),
  guard(
    {
      name: 'settings are those of the server',
      event: 'session time zone and other settings',
      guard: 'set on every connection',
      breaks: 'values are written as the server, the database or the role have it',
      file: 'changes/guards',
      test: 'sessions that begin with other settings',
    },
    postgres('connect/settings.js', 'return [...rowSettings, ...runSettings', 'return [...runSettings'),
  ),
  guard(
    {
      name: 'what is not written is built upon',
      event: 'a crash with synchronous_commit=off, also of one backend, after which ids are used again',
      guard: 'a base is published once the log up to the pin is on the disk',
      breaks: 'nobody waits for the log',
      file: 'changes/guards',
      test: 'a commit that was not written, lost with a backend that was killed; its id names other rows then',
    },
    postgres('source/wal.js', 'if (row.flushed)', 'if (row)'),
  ),
  guard(
    {
      name: 'unpublished bases are used',
      event: 'the same, where the server does not write the log in ten seconds',
      guard: 'such a backup is no base',
      breaks: 'a backup that may know what the server will lose is built upon',
      ...otherServer,
      notByFuzz: 'the servers here write when they are asked',
    },
    postgres('changes/base.js', '!base.publishable || ', ''),
  ),
  guard(
    {
      name: 'start times do not count',
      event: setBack,
      guard: 'start time of the server',
      breaks: 'a server counts as the same whatever happened while it was down',
      file: 'changes/guards',
      test: 'data that were set back, on a server that went on past where it was',
    },
    postgres('changes/base.js', 'record.startedAtUs === facts.startedAtUs &&', ''),
  ),
  ...(
    [
      ['systemIdentifier', 'system identifier'],
      ['timeline', 'timeline'],
      ['databaseOid', 'number of the database'],
    ] as const
  ).map(([field, what]) =>
    guard(
      {
        name: `${what} does not count`,
        event: setBack,
        guard: what,
        breaks: `a base counts though its ${what} is another`,
        ...otherServer,
        notByFuzz: byStart,
      },
      postgres('changes/base.js', `record.${field} === facts.${field} &&`, ''),
    ),
  ),
  guard(
    {
      name: 'positions in the log may go back',
      event: setBack,
      guard: 'the position in the log is not below that of the base',
      breaks: 'a base of a later time than now is built upon',
      ...otherServer,
      notByFuzz: byStart,
    },
    postgres('changes/base.js', 'positionOf(base.lsn) <= positionOf(now.lsn) && ', ''),
  ),
  guard(
    {
      name: 'ids may go back',
      event: setBack,
      guard: 'transaction ids are not below those of the base',
      breaks: 'a base of a later time than now is built upon',
      ...otherServer,
      notByFuzz: byStart,
    },
    postgres('changes/base.js', ' && base.xmin <= now.xmin && base.xmax <= now.xmax', ''),
  ),
  guard(
    {
      name: 'ids are compared as numbers',
      event: 'transaction ids that go round',
      guard: 'ages are compared: BETWEEN 0 AND that of the base',
      breaks: 'ids are compared by value',
      file: 'changes/fuzz',
      test: 'a row that was changed once the 32-bit ids had begun again',
      notByFuzz: 'the run across 2³² shows it, on a server with pg_resetwal',
    },
    postgres(
      'changes/signature.js',
      "`pg_catalog.age(t.xmin) BETWEEN 0 AND (SELECT pg_catalog.age('${threshold & 0xffffffffn}'::xid))`",
      '`t.xmin::text::int8 >= ${threshold & 0xffffffffn}`',
    ),
  ),
  guard(
    {
      name: 'bases of any age',
      event: 'the same, half way round',
      guard: 'fewer than 2³¹ ids since the base',
      breaks: 'a base counts however many ids have passed',
      file: 'changes/guards',
      test: 'ids that went round: what lies further back than half of them is no base',
      notByFuzz: 'nobody uses up 2³¹ ids',
    },
    postgres('changes/advance-segment.js', 'return xmax - threshold < transactionsMax;', 'return true;'),
  ),
  guard(
    {
      name: 'xmax for xmin',
      event: 'transactions and subtransactions open across the base',
      guard: "rows are new from the base's xmin on",
      breaks: "rows are new from the base's xmax on",
      file: 'changes/guards',
      test: 'what was open across a base, and is committed then, in a block with as many rows as before',
    },
    postgres('source/source.js', '?.(view) ?? view.xmin', '?.(view) ?? view.xmax'),
  ),
  guard(
    {
      name: 'nothing is locked',
      event: 'TRUNCATE or a rewriting ALTER right after the unlock: a pinned view then has 0 rows',
      guard: 'ACCESS SHARE, taken in the latch',
      breaks: 'the pin takes no locks',
      ...afterPin,
    },
    postgres('source/pin.js', 'return names.length === 0 ? [] : [`LOCK', 'return true ? [] : [`LOCK'),
  ),
  guard(
    {
      name: 'sequences are read late',
      event: 'sequences that move after the unlock',
      guard: 'read in the latch',
      breaks: 'sequences are read with the rows, after the unlock',
      ...afterPin,
    },
    postgres(
      'source/finish.js',
      '...inKeyOrder(pinned.sequences)',
      '...inKeyOrder(sequenceValues((await job.watch.script("read late", sequenceStatements(pinned.relations, job.watch.serverVersionNumber))).flat(), pinned.relations))',
    ),
    postgres(
      'source/finish.js',
      "import { storeListing } from './store-listing.js';",
      "import { storeListing } from './store-listing.js';\nimport { sequenceStatements, sequenceValues } from './sequences.js';",
    ),
  ),
  guard(
    {
      name: 'row security may hide rows',
      event: 'row-level security',
      guard: 'row_security=off: an error in place of no rows',
      breaks: 'sessions leave row_security as it is',
      file: 'changes/increments',
      test: 'row-level security that hides rows is an error, however late it comes',
      notByFuzz: 'who backs up there may read all rows',
    },
    postgres('connect/settings.js', "['row_security', 'off'],", ''),
  ),
  guard(
    {
      name: 'hidden rows are not looked for',
      event: 'row-level security',
      guard: 'asked before the lock; the answer names BYPASSRLS',
      breaks: 'nobody asks whether rows are hidden',
      file: 'failures',
      test: 'rights that lack are named before the lock, with the grant that helps',
      notByFuzz: 'who backs up there may read all rows',
    },
    postgres('catalog/rights.js', 'what.relations.filter(one => one.hidden).map(label)', '[]'),
  ),
  guard(
    {
      name: 'large objects have no rows',
      event: 'large objects',
      guard: 'pg_largeobject is a table among others',
      breaks: 'their pages are left out',
      file: 'changes/increments',
      test: 'large objects advance like a table',
    },
    postgres('changes/sizes.js', " || one.kind === 'large-objects'", ''),
  ),
  guard(
    {
      name: 'large objects lose owners and grants',
      event: 'large objects',
      guard: 'owners and grants from their metadata',
      breaks: 'owners, grants and comments are left out',
      ...roundTrip,
      notByFuzz: 'only rows are compared there',
    },
    postgres('source/finish.js', 'source === null ? [] : await readLargeObjectDdl(reader.client)', '[]'),
  ),
  guard(
    {
      name: 'parents have the rows of their heirs',
      event: 'partitions, inheritance',
      guard: 'FROM ONLY',
      breaks: 'a table is read with those that inherit from it',
      ...meaning,
    },
    postgres('connect/copy-relation.js', ': `ONLY ${qualified(relation)} t`', ': `${qualified(relation)} t`'),
  ),
  guard(
    {
      name: 'rows go into the partition that had them',
      event: 'hash partitions on an enum, whose hash is another in each database',
      guard: 'loaded through the root',
      breaks: 'each partition is loaded with what its namesake held',
      ...roundTrip,
      notByFuzz: 'nothing is restored there',
    },
    postgres(
      'sql/restore-steps.js',
      'COPY ${qualified(relation.loadThrough ?? relation)}',
      'COPY ${qualified(relation)}',
    ),
  ),
  guard(
    {
      name: 'generated columns are copied',
      event: 'generated columns',
      guard: 'left out of the copy, computed again',
      breaks: 'they are read and written like others',
      ...roundTrip,
    },
    postgres('catalog/relations.js', " AND a.attgenerated = ''", ''),
  ),
  guard(
    {
      name: 'materialized views stay empty',
      event: 'materialized views',
      guard: 'REFRESHed in their order',
      breaks: 'nobody refreshes them',
      ...roundTrip,
      notByFuzz: 'nothing is restored there',
    },
    postgres('sql/restore-steps.js', '.filter(one => one.refreshOrder !== null)', '.filter(() => false)'),
  ),
  guard(
    {
      name: "an extension's own rows are copied",
      event: 'configuration tables of extensions',
      guard: 'extconfig with its condition',
      breaks: 'all rows of such a table are taken for those of the user',
      file: 'restore/restore',
      test: "of an extension, the rows that are the user's are copied",
      notByFuzz: 'there are no extensions',
    },
    postgres('catalog/relations.js', 'condition: row.condition,', 'condition: null,'),
  ),
  guard(
    {
      name: 'every output function is trusted',
      event: 'types that an extension writes',
      guard: 'their tables are read whole each time',
      breaks: 'their text counts as fixed',
      file: 'changes/increments',
      test: 'unchanged tables of a type that an extension writes are read again',
      notByFuzz: 'there are no extensions',
    },
    postgres('catalog/definition.js', 'if (used.some(type => !type?.builtin))', 'if (false)'),
  ),
  guard(
    {
      name: 'rows are made UTF-8',
      event: 'LATIN1, SQL_ASCII',
      guard: 'rows come in the encoding of the server',
      breaks: 'the server is asked for UTF-8',
      file: 'round-trip',
      test: 'a database in SQL_ASCII keeps its bytes',
      notByFuzz: 'its databases are UTF-8',
    },
    postgres('connect/copy-relation.js', 'ENCODING ${literal(options.encoding)}', "ENCODING 'UTF8'"),
  ),
  guard(
    {
      name: 'what is past the end stays',
      event: 'the tail of a heap cut off by VACUUM',
      guard: 'blocks past the end have no rows',
      breaks: 'blocks that the heap lacks are not looked at',
      ...meaning,
    },
    postgres('changes/advance-segment.js', 'i < Math.max(segment.blocks, range.blocks)', 'i < range.blocks'),
  ),
];
