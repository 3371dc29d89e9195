import { type CommandDescription, narrowing, ofStores, pathText, theSnapshot } from '../describe.ts';

/** What brings snapshots back, and what proves beforehand that it will. */
export const restoring: readonly CommandDescription[] = [
  {
    name: 'verify',
    arguments: [
      {
        name: 'snapshots',
        text: 'which snapshots; without any: all, and everything else in the store',
        isOptional: true,
        isRepeatable: true,
      },
    ],
    summary: 'check structure and pairing of the snapshots (default: all)',
    text: [
      'Without options no data is read: every object is there and of its size, every list and record can be read, and each snapshot is the pair that its manifest says.',
      'The store remembers what was read. With a time limit, the newest and the oldest snapshot come first, then whatever was never read or was read longest ago: a thirtieth of all is due each day. Named snapshots end with 20 only for damage in what they need. Records whose damage takes nothing with it end with 20 until a repair has noted them; then they are named as known. What the medium fails to read, and what stops backups, is never taken for known.',
    ],
    options: [
      ...narrowing,
      {
        flags: '--read-data [share]',
        text: 'read every byte, or a share such as =5%, whatever was read before',
      },
      {
        flags: '--max-duration <duration>',
        text: 'end well after so long; read data that is due until then',
      },
      {
        flags: '--witness <file>',
        text: 'compare with what this file, kept away from the store, says was there, and bring it up to date where all is well; else `witness` of the configuration',
      },
    ],
    exitCodes: ofStores,
    examples: [
      { line: 'stillpoint verify', text: 'the structure of everything: quick' },
      { line: 'stillpoint verify --max-duration 1h', text: 'every day: what is due' },
      {
        line: 'stillpoint verify --witness /mnt/away/witness',
        text: 'and whether anything that was there is gone',
      },
      { line: 'stillpoint verify latest --read-data', text: 'every byte of what one snapshot needs' },
    ],
    load: async () => (await import('../../commands/verify.ts')).verify,
  },
  {
    name: 'repair',
    summary: 'mend what is damaged, and say exactly what is lost',
    text: [
      'Only ever adds to the store. Reads every byte; rebuilds the index from the packs and copies what is whole out of damaged ones; writes down what is bad, so that the next backup stores it again; heals lost content from other copies and from the live home. Of a snapshot that still lacks something a new one is made of what is left; the old one stays until you forget it. Damage that takes nothing with it is noted, and verify ends with 0 again.',
      'Ends with 0 when all is whole, and with 20 while something stays lost. What the next backup stores again heals older snapshots, too: repair again after it. Lists of files that are lost do not come back so: forget such snapshots once what is left of them suffices.',
    ],
    options: [
      { flags: '--index', text: 'do not read the data in the packs: index, trailers and structure only' },
      { flags: '--dry-run', text: 'say what would be done; write nothing' },
      {
        flags: '--home <folder>',
        text: 'the live home to heal from; default: that of the configuration',
      },
      {
        flags: '--forget-lost',
        text: 'forget snapshots whose manifests are lost, so that prune works again',
      },
    ],
    exitCodes: [...ofStores, 'locked'],
    examples: [
      { line: 'stillpoint repair --dry-run', text: 'what is damaged, and what could be done' },
      { line: 'stillpoint repair', text: 'do it' },
      { line: 'stillpoint repair --index', text: 'only bring a lost index back' },
    ],
    load: async () => (await import('../../commands/repair.ts')).repair,
  },
  {
    name: 'restore',
    arguments: [theSnapshot],
    summary: 'restore the pair',
    text: [
      'Into an empty or absent folder and an empty or absent database, never over something. A restore that was killed is begun again by the same command. It ends with what must be done before the application may be started.',
      ...pathText,
      'With --table or --schema, only these are restored, with the types, functions and sequences that they need, their indexes, keys and triggers, and no home. A pattern is a name, or schema.name; * stands for anything. Into a database that holds something they go only with --alongside, in one transaction, and never over anything.',
      'With --sql, the database is written as SQL that psql, or MariaDB’s own client, loads without this program, and no server is needed.',
    ],
    options: [
      ...narrowing,
      { flags: '--home <folder>', text: 'restore the home into this empty or absent folder' },
      { flags: '--database <url>', text: 'restore the database into this empty or absent database' },
      { flags: '--only <half>', text: 'only one half', choices: ['home', 'database'] },
      {
        flags: '--path <path>',
        text: 'only this file or folder of the home; may be repeated; restores no database',
        isRepeatable: true,
      },
      {
        flags: '--repository <id>',
        text: 'only the folder of this repository, and of those that it borrows from; may be repeated',
        isRepeatable: true,
      },
      { flags: '--map <old=new>', text: 'where a data store goes; may be repeated', isRepeatable: true },
      {
        flags: '--set-jdbc',
        text: 'point the restored jdbc.url to the database restored into',
      },
      {
        flags: '--owner <rule>',
        text: 'whose the files are: keep (by number, the default), by-name, or UID:GID',
      },
      {
        flags: '--table <pattern>',
        text: 'only these tables, views or sequences of the database; may be repeated',
        isRepeatable: true,
      },
      {
        flags: '--schema <pattern>',
        text: 'only what is in these schemas of the database; may be repeated',
        isRepeatable: true,
      },
      {
        flags: '--alongside',
        text: 'tables and schemas may go into a database that holds something, which stays as it is',
      },
      {
        flags: '--sql <file>',
        text: 'write the database as SQL for psql or mariadb into this new file, or to stdout for -',
      },
      {
        flags: '--database-owner <role>',
        text: 'everything in the database belongs to this role; else to the owners that it had',
      },
      {
        flags: '--no-database-owner',
        text: 'everything in the database belongs to the role that restores',
      },
      { flags: '--no-grants', text: 'make no grants, default privileges or settings of single roles' },
      {
        flags: '--tablespace <old=new>',
        text: 'another tablespace, such as pg_default, for one that was used; may be repeated',
        isRepeatable: true,
      },
    ],
    exitCodes: [...ofStores, 'locked', 'incomplete'],
    examples: [
      {
        line: 'PGPASSFILE=/etc/stillpoint/pgpass stillpoint restore latest --home /srv/bitbucket --database postgresql://bitbucket@127.0.0.1/bitbucket',
        text: 'the pair',
      },
      {
        line: 'stillpoint restore latest --home /srv/twin --database postgresql://twin@127.0.0.1/twin --set-jdbc',
        text: 'a twin that must not write to the live database',
      },
      {
        line: 'stillpoint restore 5d41 --home /tmp/look --path shared/bitbucket.properties',
        text: 'one file',
      },
      { line: 'stillpoint restore latest --home /tmp/look --repository 12', text: 'one repository' },
      {
        line: 'stillpoint restore latest --table public.comment --database postgresql://bitbucket@127.0.0.1/look',
        text: 'one table, into a database of its own',
      },
      {
        line: 'stillpoint restore latest --sql database.sql',
        text: 'the database as SQL, which psql loads alone: psql -X -d look -f database.sql',
      },
    ],
    load: async () => (await import('../../commands/restore.ts')).restore,
  },
  {
    name: 'export',
    arguments: [theSnapshot],
    summary: 'write a snapshot as a plain archive that restores without this program',
    text: [
      'The archive holds the home as it was, the database as SQL that `psql`, or MariaDB’s client, alone loads, what the snapshot says about itself, a sum of every file, and a README.md that tells how it is all brought back. It is not encrypted. A file is there when it is whole: what ends the export early leaves nothing.',
      'The name says how it is compressed: .tar.zst, .tar.gz or .tar; standard output gets the first. Ends with 3 where the snapshot is one that a repair made of what was left.',
    ],
    options: [
      ...narrowing,
      {
        flags: '-o, --output <file>',
        text: 'the archive; - for standard output; with --portable also a folder',
      },
      { flags: '--force', text: 'replace a file that is there' },
      {
        flags: '--portable',
        text: 'the tables of the database only: CSV files that any other database takes, with their columns, types, keys and references as JSON',
      },
    ],
    exitCodes: [...ofStores, 'incomplete'],
    examples: [
      { line: 'stillpoint export latest -o /mnt/usb/bitbucket.tar.zst', text: 'everything, in one file' },
      {
        line: 'stillpoint export 5d41 -o -',
        text: 'for a pipe: straight to another machine, or into `zstd -d | tar -t`',
      },
      { line: 'stillpoint export latest --portable -o tables', text: 'rows for MariaDB, SQLite or a report' },
    ],
    load: async () => (await import('../../commands/export.ts')).exportCommand,
  },
];
