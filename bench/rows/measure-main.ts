import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { environment, writeResults } from '../results.ts';
import { startProgram } from '../rig/index.ts';
import { startServer } from '../servers/index.ts';
import { folderBytes, type Run, runDump } from './dump.ts';
import { readSizes, runStatements, type State, states } from './states.ts';

/**
 * What backups of a large table cost, state after state, by the whole program into a store on disk, beside `pg_dump -Fd
 * -j2` of the same states. The first copy is also compared with -Z1. Writes bench/results/rows.json.
 */
const fullRows = 5_000_000;
const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: String(fullRows) },
    server: { type: 'string', default: 'debian' },
    // Backups of the unchanged state.
    repeat: { type: 'string', default: '3' },
    // Of the file; without one, only a run of the full size is kept.
    name: { type: 'string' },
    // Without pg_dump: for profiles.
    alone: { type: 'boolean', default: false },
  },
});
const rows = Number(values.rows);
const startedMs = performance.now();
const env = environment();
if (Number(env['loadBefore']) > 0.5)
  console.log(`The machine is not calm (load ${String(env['loadBefore'])}): these figures are noise.`);

/** Beside the server's own defaults: what a server of this size has, and a log that does not stop it. */
const settings = {
  shared_buffers: '512MB',
  max_wal_size: '4GB',
  maintenance_work_mem: '256MB',
  autovacuum: 'off',
};
await using server = await startServer({
  kind: values.server === 'embedded' ? 'embedded' : 'debian',
  storage: 'disk',
  settings,
});
const { clientDir } = server;
if (clientDir === null && !values.alone)
  throw new Error(
    'Cannot compare with pg_dump: this server comes without it; use --server debian or --alone',
  );
const folder = mkdtempSync(join(tmpdir(), 'stillpoint-rows-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const url = await server.createDatabase('rows');
const store = join(folder, 'store');
const configFile = join(folder, 'stillpoint.yaml');
writeFileSync(join(folder, 'passphrase'), 'correct horse battery staple\n', { mode: 0o600 });
writeFileSync(
  configFile,
  `instance: rows\nstore: ${store}\npassphraseFile: passphrase\ndatabase: { url: "${url}" }\napp: { type: none }\n`,
);
await stillpoint(['init', '--json']);

interface Measured {
  readonly state: string;
  readonly runs: readonly (Run & { readonly summary: Record<string, unknown> })[];
  readonly dumps: Readonly<Record<string, Run>>;
  readonly heapBytes: number;
  readonly totalBytes: number;
}

const measured: Measured[] = [];
for (const state of states) {
  await runStatements(url, state.statements(rows));
  measured.push(await measure(state));
  say(measured.at(-1)!);
}
const seconds = (performance.now() - startedMs) / 1000;
const name = values.name ?? (rows === fullRows ? 'rows' : undefined);
const path =
  name &&
  writeResults(name, {
    environment: { ...env, server: server.version, settings, rows },
    seconds,
    measured,
  });
console.log(`${(seconds / 60).toFixed(1)} minutes; ${path ?? 'not kept'}`);

async function measure(state: State): Promise<Measured> {
  const runs: Measured['runs'][number][] = [];
  const count = state.name === 'unchanged' ? Number(values.repeat) : 1;
  for (let run = 0; run < count; run += 1) runs.push(await backUp());
  const dumps: Record<string, Run> = {};
  if (!values.alone && clientDir !== null) {
    dumps['-Fd -j2'] = await runDump({ clientDir, url, folder });
    if (state.name === 'first copy')
      dumps['-Fd -j2 -Z1'] = await runDump({ clientDir, url, folder, extra: ['-Z1'] });
  }
  return { state: state.name, runs, dumps, ...(await readSizes(url)) };
}

/** From the start of the process to its end. */
async function backUp(): Promise<Measured['runs'][number]> {
  const before = folderBytes(store);
  const runMs = performance.now();
  const summary = await stillpoint(['backup', '--json']);
  return { seconds: (performance.now() - runMs) / 1000, bytes: folderBytes(store) - before, summary };
}

async function stillpoint(args: readonly string[]): Promise<Record<string, unknown>> {
  const ended = await startProgram(args, {
    cwd: folder,
    env: {
      STILLPOINT_CONFIG: configFile,
      STILLPOINT_STATE_DIR: join(folder, 'state'),
      ...(process.env['NODE_OPTIONS'] && { NODE_OPTIONS: process.env['NODE_OPTIONS'] }),
    },
  }).ended;
  if (ended.code === 0) return ended.json.at(-1) ?? {};
  throw new Error(`stillpoint ${args.join(' ')} ended with ${ended.code}: ${ended.stderr || ended.stdout}`);
}

function say({ state, runs, dumps, heapBytes }: Measured): void {
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;
  const sorted = [...runs].sort((a, b) => a.seconds - b.seconds);
  const median = sorted[Math.floor(sorted.length / 2)]!;
  const all = runs.length > 1 ? ` (${runs.map(run => run.seconds.toFixed(2)).join(', ')})` : '';
  const { database } = median.summary as { database?: Record<string, number> };
  console.log(
    `${state}: ${median.seconds.toFixed(2)} s${all}, stored ${mb(median.bytes)}, ` +
      `${database?.['changedSegments']} of ${database?.['segments']} segments read; heap ${mb(heapBytes)}`,
  );
  for (const [options, dump] of Object.entries(dumps))
    console.log(
      `  pg_dump ${options}: ${dump.seconds.toFixed(2)} s, ${mb(dump.bytes)}; ` +
        `ours takes ${(median.seconds / dump.seconds).toFixed(2)} of its time (${(dump.seconds / median.seconds).toFixed(1)} times as fast)`,
    );
}
