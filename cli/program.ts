import { Command as Commander, Option } from 'commander';
import type { Command, Context } from './context.ts';

export interface GlobalOptions {
  /** True where the option stands without a value. */
  readonly config?: string | true;
  readonly store?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

export interface ProgramOptions {
  readonly contextFor: (global: GlobalOptions) => Promise<Context>;
  readonly version: string;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

const exitCodeHelp = `
Exit codes:
  0 done   1 failed   2 usage or configuration   3 saved, but a source could not be read
  10 no store there, or a newer one   11 locked by another run   12 wrong passphrase
  20 damage found   21 the application could not be unlocked   130 interrupted   143 terminated`;

const pathHelp = `
A path is relative to the home, or absolute below the home or one of its data stores: as they lay when the snapshot was
made. \`/\` is all that the snapshot holds. What is in the database begins with \`database:\`, as in
database:tables/public/comment (rows as COPY writes them), database:sequences and database:definitions/pre-data; a file of
such a name is ./database:…. Bytes that cannot be shown are written \\xHH, a backslash as two, and may be given so.`;

const diffHelp = `
Files: + added, - removed, C content, K kind, M what is beside the content (mode, owner, mtime, attributes, links). Refs of the
repositories among them: from what to what. Tables: rows before and after, and how many rows only one side has; a row that
was changed is one added and one removed. Sequences, and sections of the definitions.`;

/** The command line, ready to parse: gives the exit code. */
export function buildProgram(options: ProgramOptions): (argv: readonly string[]) => Promise<number> {
  let exitCode = 0;
  const program = defineProgram(options, code => {
    exitCode = code;
  });
  return async argv => {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  };
}

/** Every command with its options, long and short. */
export function describeProgram(): ReadonlyMap<string, ReadonlySet<string>> {
  const nowhere = { write: () => true } as unknown as NodeJS.WritableStream;
  const contextFor = () => Promise.reject(new Error('nothing runs'));
  const program = defineProgram({ contextFor, version: '', stdout: nowhere, stderr: nowhere }, () => {});
  const names = (command: Commander) =>
    command.options.flatMap(({ long, short }) => [long, short].filter(name => typeof name === 'string'));
  return new Map(program.commands.map(command => [command.name(), new Set(names(command))]));
}

/** What there is, its options and help. The code of a command is loaded when it runs. */
function defineProgram(options: ProgramOptions, onEnd: (exitCode: number) => void): Commander {
  const program = new Commander('stillpoint')
    .description('Backups of a home directory and a database that agree, with a latch that nobody notices.')
    .version(options.version)
    .exitOverride()
    .enablePositionalOptions() // what stands after a command is the command's: `show ID --config` takes no file
    .configureOutput({
      writeOut: text => options.stdout.write(text),
      writeErr: text => options.stderr.write(text),
      outputError: () => undefined, // it is thrown, too, and reported as every other error
    })
    .showSuggestionAfterError()
    .addHelpText('after', exitCodeHelp);

  const command = <Wishes>(
    usage: string,
    description: string,
    load: () => Promise<Command<Wishes>>,
    positionals: readonly string[] = [],
  ) =>
    program
      .command(usage)
      .description(description)
      .exitOverride()
      .addHelpText('after', exitCodeHelp)
      .action(async (...args: unknown[]) => {
        const command = args.at(-1) as Commander;
        const wishes = command.optsWithGlobals<GlobalOptions & Wishes>();
        const own = command.opts(); // `--config FILE show ID --config`: the second one is for the command
        const named = Object.fromEntries(positionals.map((name, index) => [name, args[index]]));
        const context = await options.contextFor(wishes);
        const run = await load();
        onEnd((await run(context, { ...wishes, ...own, ...named })) ?? 0);
      });

  command('init', 'make a store', async () => (await import('./commands/init.ts')).init);
  command('backup', 'take one paired snapshot', async () => (await import('./commands/backup.ts')).backup)
    .option('--tag <tag>', 'mark the snapshot; may be repeated', collect, [])
    .option('--dry-run', 'say what would be read; lock and write nothing')
    .option('--wait <duration>', 'wait so long for another run, or for somebody else’s lock, to end')
    .addOption(
      new Option('--hold-until <moment>', 'unlock when the state is captured, or when all of it is durable')
        .choices(['captured', 'durable'])
        .default('captured'),
    );
  command(
    'snapshots',
    'list the snapshots, newest last',
    async () => (await import('./commands/snapshots.ts')).snapshots,
  )
    .alias('list')
    .option('--instance <name>', 'of this instance only')
    .option('--tag <tag>', 'with this tag only');
  narrow(
    command(
      'show <snapshot>',
      'show what a snapshot holds',
      async () => (await import('./commands/show.ts')).show,
      ['snapshot'],
    ),
  ).option('--config [file]', 'without a file: print the configuration that made the snapshot');
  narrow(
    command(
      'ls <snapshot> [path]',
      'list what a snapshot holds at a path',
      async () => (await import('./commands/ls.ts')).ls,
      ['snapshot', 'path'],
    ),
  )
    .option('-r, --recursive', 'with all that is below')
    .addHelpText('after', pathHelp);
  narrow(
    command(
      'cat <snapshot> <path>',
      'print the bytes of a file, or the rows of a table, of a snapshot',
      async () => (await import('./commands/cat.ts')).cat,
      ['snapshot', 'path'],
    ),
  ).addHelpText('after', pathHelp);
  narrow(
    command(
      'diff <before> <after>',
      'tell what differs between two snapshots: files, refs, rows',
      async () => (await import('./commands/diff.ts')).diff,
      ['before', 'after'],
    ),
  ).addHelpText('after', diffHelp);
  narrow(
    command(
      'verify [snapshots...]',
      'check structure and pairing of the snapshots (default: all)',
      async () => (await import('./commands/verify.ts')).verify,
      ['snapshots'],
    ),
  ).option('--read-data', 'read and check every byte');
  narrow(
    command(
      'restore <snapshot>',
      'restore the pair',
      async () => (await import('./commands/restore.ts')).restore,
      ['snapshot'],
    ),
  )
    .option('--home <folder>', 'restore the home into this empty or absent folder')
    .option('--database <url>', 'restore the database into this empty or absent database')
    .addOption(new Option('--only <half>', 'only one half').choices(['home', 'database']))
    .option(
      '--path <path>',
      'only this file or folder of the home; may be repeated; restores no database',
      collect,
      [],
    )
    .option(
      '--repository <id>',
      'only the folder of this repository, and of those that it borrows from; may be repeated',
      collect,
      [],
    )
    .option('--map <old=new>', 'where a data store goes; may be repeated', collect, [])
    .option('--set-jdbc', 'point the restored jdbc.url and jdbc.user to the database restored into')
    .option('--owner <rule>', 'whose the files are: keep (by number, the default), by-name, or UID:GID')
    .addHelpText('after', pathHelp);
  narrow(
    command(
      'forget <snapshots...>',
      'drop snapshots; prune frees their space',
      async () => (await import('./commands/forget.ts')).forget,
      ['snapshots'],
    ),
  );
  narrow(
    command(
      'hold <snapshot>',
      'keep a snapshot from every policy',
      async () => (await import('./commands/hold.ts')).hold,
      ['snapshot'],
    ),
  ).option('--release', 'no longer');
  command(
    'prune',
    'forget what the policy does not keep, and free space',
    async () => (await import('./commands/prune.ts')).prune,
  )
    .option('--dry-run', 'say what would be forgotten and freed; lock and write nothing')
    .option('--allow-empty', 'free everything where every snapshot was forgotten')
    .option('--keep-last <count>', 'keep the newest so many')
    .option('--keep-hourly <count>', 'keep the last of each of the newest so many hours that have one')
    .option('--keep-daily <count>', 'likewise of days')
    .option('--keep-weekly <count>', 'likewise of weeks')
    .option('--keep-monthly <count>', 'likewise of months')
    .option('--keep-yearly <count>', 'likewise of years')
    .option('--keep-within <duration>', 'keep all that are at most so much older than the newest')
    .option('--keep-tag <tag>', 'keep all with this tag; may be repeated', collect, [])
    .option('--instance <name>', 'decide about the snapshots of this instance only');
  command(
    'unlock',
    'release the lock that a dead run left',
    async () => (await import('./commands/unlock.ts')).unlock,
  ).option('--token-file <file>', 'a file with the unlock token; - for standard input');
  command(
    'doctor',
    'check the set-up and say how to mend it',
    async () => (await import('./commands/doctor.ts')).doctor,
  );

  for (const target of [program, ...program.commands]) addCommonOptions(target);
  return program;
}

function addCommonOptions(command: Commander): void {
  if (!command.options.some(option => option.long === '--config')) {
    command.option('--config <file>', 'configuration file');
  }
  command
    .option('--store <place>', 'the store; overrides the configuration')
    .option('--json', 'one JSON document, or JSON lines, on stdout')
    .option('-q, --quiet', 'results and errors only')
    .option('-v, --verbose', 'say more');
}

function narrow(command: Commander): Commander {
  return command
    .option('--instance <name>', 'which instance `latest` means')
    .option('--tag <tag>', 'which tag `latest` must carry');
}

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}
