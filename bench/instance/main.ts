import { parseArgs } from 'node:util';
import { startServer } from '../servers/index.ts';
import { createInstanceDatabase } from './database.ts';
import { createInstance } from './instance.ts';

const usage = `Usage: npm run instance -- [options]

Serves the stand-in application, prints one line of JSON when it does, and ends on SIGTERM or SIGINT.

  --home FOLDER              the home (default: a folder of its own)
  --database URL             an empty database (default: a server of its own is started)
  --server embedded|debian   which server (default: embedded)
  --port N                   where it serves (default: a free one)
  --repositories N           repositories of the home (default: 6)
  --files N                  further files of the home (default: 0)
  --rows N                   rows of the database (default: 1000)
  --writes-per-second N      writes under way all the time (default: 0)
  --acknowledgements FILE    where the writer notes what was promised to it
  --no-log                   does not write the application's log
  --until-eof                ends when its standard input does, too
  --help                     this text
`;

/**
 * The instance as a program: prints one line of JSON when it serves, and ends cleanly on SIGTERM, SIGINT or when its
 * standard input ends (with `--until-eof`). Without `--database` it starts a server of its own.
 */
const { values } = readArguments();
if (values.help) {
  process.stdout.write(usage);
  process.exit();
}

const server =
  values.database === undefined
    ? await startServer({ kind: values.server === 'debian' ? 'debian' : 'embedded' })
    : undefined;
const databaseUrl = values.database ?? (await createInstanceDatabase(server!));
const perSecond = Number(values['writes-per-second']);
const instance = await createInstance({
  databaseUrl,
  ...(values.home === undefined ? {} : { home: values.home }),
  ...(values.acknowledgements === undefined ? {} : { acknowledgements: values.acknowledgements }),
  port: Number(values.port),
  log: values['no-log'] ? 'off' : 'on',
  repositories: Number(values.repositories),
  files: Number(values.files),
  rows: Number(values.rows),
  ...(perSecond > 0 ? { writer: { perSecond } } : {}),
});

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  process.stdin.destroy();
  await instance.stop();
  await server?.stop();
}
process.once('SIGTERM', () => void stop());
process.once('SIGINT', () => void stop());
if (values['until-eof']) process.stdin.resume().once('end', () => void stop());

const { url, home, admin } = instance;
const told = { url, pid: process.pid, home, databaseUrl, superuserUrl: server?.superuserUrl, admin };
process.stdout.write(`${JSON.stringify(told)}\n`);

function readArguments() {
  try {
    return parseArgs({
      options: {
        help: { type: 'boolean', default: false },
        home: { type: 'string' },
        database: { type: 'string' },
        server: { type: 'string', default: 'embedded' },
        port: { type: 'string', default: '0' },
        repositories: { type: 'string', default: '6' },
        files: { type: 'string', default: '0' },
        rows: { type: 'string', default: '1000' },
        'writes-per-second': { type: 'string', default: '0' },
        acknowledgements: { type: 'string' },
        'no-log': { type: 'boolean', default: false },
        'until-eof': { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`);
    process.exit(2);
  }
}
