import { parseArgs } from 'node:util';
import { startServer } from '../servers/index.ts';
import { createInstanceDatabase } from './database.ts';
import { createInstance } from './instance.ts';

/**
 * The instance as a program: prints one line of JSON when it serves, and ends cleanly on SIGTERM, SIGINT or when its
 * standard input ends (with `--until-eof`). Without `--database` it starts a server of its own.
 */
const { values } = parseArgs({
  options: {
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
