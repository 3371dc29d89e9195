import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { git } from './instance/git.ts';
import { repositoryPath } from './instance/index.ts';
import { startRig } from './rig/index.ts';

/**
 * What a backup costs when nothing changed: traced by strace and by the server's own log. Then with the application's
 * log on, and with one row and one ref changed. Ends with 0 only when nothing was opened, copied or stored for nothing.
 */
const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '20000' },
    rows: { type: 'string', default: '300000' },
    server: { type: 'string', default: 'embedded' },
  },
});

/** Past the margin within which a file that was just written is not trusted. */
const settleMs = 5_000;

await using rig = await startRig({
  server: values.server === 'debian' ? 'debian' : 'embedded',
  repositories: 12,
  files: Number(values.files),
  rows: Number(values.rows),
  log: 'off',
});
const { home } = rig.instance;
await query('VACUUM');
await settled();
tell('first', await rig.summary(['backup', '--json']));
await settled();
tell('second', await rig.summary(['backup', '--json']));
await settled();

const before = new Set(await objects());
const traceFile = join(rig.folder, 'trace');
await query("ALTER SYSTEM SET log_statement = 'all'; SELECT pg_reload_conf()");
const logBytes = (await rig.server.log()).length;
const tracer = [
  'strace',
  '-f',
  '-qq',
  '-s',
  '4096',
  '-e',
  'trace=open,openat,openat2,creat',
  '-o',
  traceFile,
];
const unchanged = await rig.summary(['backup', '--json'], { under: tracer });
const said = (await rig.server.log()).slice(logBytes);
await query('ALTER SYSTEM RESET log_statement; SELECT pg_reload_conf()');
tell('nothing changed, under strace', unchanged);

const opens = readFileSync(traceFile, 'utf8')
  .split('\n')
  .filter(line => line.includes(`"${home}/`) || /open(at|at2)?\((?!AT_FDCWD)\d+, "[^/]/.test(line));
const copies = said.split('\n').filter(line => /statement: .*\bCOPY\b/.test(line));
const made = (await objects()).filter(name => !before.has(name));
const { newChunks } = unchanged['stored'] as { newChunks: number };
console.log(`  opened below the home: ${opens.length} ${opens.slice(0, 3).join(' | ')}`);
console.log(
  `  COPY statements: ${copies.length} of ${said.split('statement:').length - 1} statements ${copies.map(line => line.slice(-120)).join(' | ')}`,
);
console.log(`  chunks stored: ${newChunks}; objects made: ${made.join(' ')}`);

const timed = await rig.summary(['backup', '--json']);
tell('nothing changed', timed);
rig.instance.setLog('on');
tell('with the log on', await rig.summary(['backup', '--json']));
rig.instance.setLog('off');
await settled();
await rig.summary(['backup', '--json']);

await query(
  "UPDATE public.project SET name = name || '!' WHERE id = (SELECT min(id) FROM public.project)",
  'bitbucket',
);
const cwd = repositoryPath(home, rig.instance.repositoryIds[0]!);
const refs = (await git(['for-each-ref', '--format=%(refname) %(objectname)', 'refs/heads'], { cwd }))
  .trim()
  .split('\n');
const [ref = '', hash = ''] = refs[0]?.split(' ') ?? [];
const other = refs.map(line => line.split(' ')[1]).find(one => one !== hash);
if (!other) throw new Error(`${cwd} has one commit only`);
await git(['update-ref', ref, other], { cwd });
tell('one row and one ref', await rig.summary(['backup', '--json']));

const passed = opens.length === 0 && copies.length === 0 && newChunks === 0;
const isOneManifest = made.length === 1 && made[0]!.startsWith('manifests/');
console.log(passed && isOneManifest ? 'passed' : 'FAILED');
process.exitCode = passed && isOneManifest ? 0 : 1;

function tell(what: string, summary: Record<string, unknown>): void {
  const {
    home: files,
    database,
    stored,
    latch,
    durationMs,
  } = summary as Record<string, Record<string, number>>;
  console.log(
    `${what}: ${files?.['changed']} of ${files?.['files']} files read (${files?.['changedInLatch']} in the latch), ` +
      `${database?.['changedSegments']} of ${database?.['segments']} segments; stored ${stored?.['newChunks']} chunks, ` +
      `${stored?.['newBytes']} bytes, packed ${stored?.['packedBytes']}; held ${latch?.['heldMs']} ms ` +
      `(capture ${latch?.['captureMs']}, forecast ${latch?.['forecastMs']}), whole run ${durationMs} ms`,
  );
}

async function settled(): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, settleMs));
}

async function objects(): Promise<string[]> {
  const entries = await readdir(rig.store, { recursive: true, withFileTypes: true });
  return entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(rig.store.length + 1));
}

async function query(sql: string, database?: string): Promise<void> {
  const { Client } = (await import('pg')).default;
  const connectionString = database ? rig.server.url(database) : rig.server.superuserUrl;
  const client = new Client({ connectionString });
  await client.connect();
  try {
    for (const statement of sql.split('; ')) await client.query(statement);
  } finally {
    await client.end();
  }
}
