import { type CommandDescription, narrowing, ofStores, pathText, theSnapshot } from '../describe.ts';

/** Commands that look at snapshots and change nothing. */
export const looking: readonly CommandDescription[] = [
  {
    name: 'status',
    summary: 'tell what is locked, running and overdue',
    text: [
      'What this host holds and runs, whether the application serves people, and how old the newest proven pair of each instance is: one whose manifest can be read and says what held home and database together. It locks nothing, waits for nobody and writes nothing; without a configuration a store is enough.',
    ],
    options: [
      {
        flags: '--max-age <duration>',
        text: 'end with 22 when the newest proven pair of the configured instance (without one: of each) is older',
      },
      { flags: '--instance <name>', text: 'of this instance only' },
    ],
    exitCodes: [...ofStores, 'stillLocked', 'tooOld'],
    examples: [
      { line: 'stillpoint status', text: 'what is going on' },
      {
        line: 'stillpoint status --max-age 26h --json',
        text: 'for a monitor, where a backup runs every day',
      },
      {
        line: 'stillpoint status --store /mnt/second/stillpoint --max-age 7d',
        text: 'whether copies arrive in a second store',
      },
    ],
    load: async () => (await import('../../commands/status.ts')).status,
  },
  {
    name: 'snapshots',
    alias: 'list',
    summary: 'list the snapshots, newest last',
    options: [
      { flags: '--instance <name>', text: 'of this instance only' },
      { flags: '--tag <tag>', text: 'with this tag only' },
    ],
    exitCodes: ofStores,
    examples: [
      { line: 'stillpoint snapshots', text: 'all of the store' },
      { line: 'stillpoint snapshots --instance bitbucket --tag before-upgrade', text: 'those only' },
      {
        line: 'stillpoint snapshots --store /mnt/second/stillpoint --json',
        text: 'of another store, for a script',
      },
    ],
    load: async () => (await import('../../commands/snapshots.ts')).snapshots,
  },
  {
    name: 'show',
    arguments: [theSnapshot],
    summary: 'show what a snapshot holds',
    options: [
      ...narrowing,
      {
        flags: '--config [file]',
        text: 'without a file: print the configuration that made the snapshot',
      },
    ],
    exitCodes: ofStores,
    examples: [
      { line: 'stillpoint show latest', text: 'of the configured instance' },
      { line: 'stillpoint show latest --config', text: 'the configuration that made it, without secrets' },
      { line: 'stillpoint show latest --tag before-upgrade --json', text: 'everything, for a script' },
    ],
    load: async () => (await import('../../commands/show.ts')).show,
  },
  {
    name: 'ls',
    arguments: [theSnapshot, { name: 'path', text: 'what to list', isOptional: true }],
    summary: 'list what a snapshot holds at a path',
    text: pathText,
    options: [...narrowing, { flags: '-r, --recursive', text: 'with all that is below' }],
    exitCodes: ofStores,
    examples: [
      { line: 'stillpoint ls latest', text: 'the top of the home, and the database' },
      {
        line: 'stillpoint ls latest shared/data/repositories/12 -r',
        text: 'a folder with all that is below',
      },
      { line: 'stillpoint ls latest database:tables/public', text: 'the tables of a schema' },
    ],
    load: async () => (await import('../../commands/ls.ts')).ls,
  },
  {
    name: 'cat',
    arguments: [theSnapshot, { name: 'path', text: 'a file of the home, or a table' }],
    summary: 'print the bytes of a file, or the rows of a table, of a snapshot',
    text: pathText,
    options: narrowing,
    exitCodes: ofStores,
    examples: [
      { line: 'stillpoint cat latest shared/bitbucket.properties', text: 'a file' },
      { line: 'stillpoint cat latest database:tables/public/project', text: 'rows, as COPY writes them' },
    ],
    load: async () => (await import('../../commands/cat.ts')).cat,
  },
  {
    name: 'diff',
    arguments: [
      { name: 'before', text: 'a snapshot, named as everywhere' },
      { name: 'after', text: 'the one to compare it with' },
    ],
    summary: 'tell what differs between two snapshots: files, refs, rows',
    text: [
      'Files: `+` added, `-` removed, `C` content, `K` kind, `M` what is beside the content (mode, owner, mtime, attributes, links). Refs of the repositories among them: from what to what.',
      'Tables: rows before and after, and how many rows only one side has; a row that was changed is one added and one removed. Sequences, and sections of the definitions.',
    ],
    options: narrowing,
    exitCodes: ofStores,
    examples: [
      { line: 'stillpoint diff 5d41 latest', text: 'since the snapshot whose id begins so' },
      { line: 'stillpoint diff 5d41 9a0c --json', text: 'two snapshots, for a script' },
    ],
    load: async () => (await import('../../commands/diff.ts')).diff,
  },
];
