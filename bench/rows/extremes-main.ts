import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { costOf } from '../compare/cost.ts';
import { median } from '../compare/result.ts';
import { environment, writeResults } from '../results.ts';
import { programs } from '../rig/index.ts';
import { startServer } from '../servers/index.ts';
import { runStatements, states } from './states.ts';

/**
 * What a database may hold that is hard on memory, and on the pin: `npm run bench:extremes`. One row of 500 MB, a heap of
 * 10 GB, 10, 300 and 3,000 tables. Each is backed up twice and restored once; told are seconds, the largest process, and how long
 * the pin took, which is all that a lock would wait for. Writes bench/results/extremes.json, not with --quick.
 */
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
  },
});

interface Extreme {
  readonly name: string;
  readonly statements: readonly string[];
}

const { quick } = values;
const rowMegabytes = quick ? 1 : 500;
const heapRows = quick ? 5_000 : 50_000_000;
const tableCounts = quick ? [3, 6] : [10, 300, 3_000];
const pins = quick ? 1 : 5;
const extremes: readonly Extreme[] = [
  {
    name: `a row of ${rowMegabytes} MB`,
    statements: [
      'CREATE TABLE large (id integer PRIMARY KEY, text text)',
      'ALTER TABLE large ALTER COLUMN text SET STORAGE EXTERNAL',
      `INSERT INTO large SELECT 1, string_agg(md5(i::text), '') FROM generate_series(1, ${rowMegabytes * 31_250}) i`,
    ],
  },
  {
    name: `${heapRows.toLocaleString('en-US')} rows, 200 bytes each`,
    statements: states.find(({ name }) => name === 'first copy')!.statements(heapRows),
  },
  ...tableCounts.map(count => ({
    name: `${count.toLocaleString('en-US')} tables`,
    statements: [
      `DO $$ BEGIN FOR i IN 1..${count} LOOP
         EXECUTE format('CREATE TABLE many_%s AS SELECT i AS id, md5(i::text) AS text FROM generate_series(1, 100) i', i);
       END LOOP; END $$`,
      'VACUUM (FREEZE, ANALYZE)',
    ],
  })),
];

await using server = await startServer({
  kind: 'debian',
  storage: 'disk',
  settings: {
    shared_buffers: '512MB',
    max_wal_size: '4GB',
    max_locks_per_transaction: '512',
    autovacuum: 'off',
  },
});
const folder = mkdtempSync(join(tmpdir(), 'stillpoint-extremes-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const env = environment();
const wanted = extremes.filter(({ name }) => values.only?.some(part => name.includes(part)) ?? true);
const measured: Awaited<ReturnType<typeof measure>>[] = [];
for (const [i, extreme] of wanted.entries()) {
  measured.push(await measure(extreme, i));
  const { name, first, unchanged, restore, pinMs } = measured.at(-1)!;
  const told = ({ seconds, peakBytes }: typeof first) =>
    `${seconds.toFixed(2)} s, ${((peakBytes ?? 0) / 1e6).toFixed(0)} MB`;
  console.log(
    `${name}: first ${told(first)}; unchanged ${told(unchanged)}; restore ${told(restore)}; pin ${pinMs.map(ms => ms.toFixed(1)).join(', ')} ms, median ${median(pinMs).toFixed(1)}`,
  );
}
if (!quick) console.log(writeResults('extremes', { environment: env, server: server.version, measured }));

async function measure({ name, statements }: Extreme, at: number) {
  const scratch = join(folder, `${at}`);
  mkdirSync(scratch);
  const url = await server.createDatabase(`extreme_${at}`);
  await runStatements(url, [...statements, 'CHECKPOINT']);
  const config = join(scratch, 'stillpoint.yaml');
  writeFileSync(
    config,
    `instance: extremes\nstore: ${join(scratch, 'store')}\ndatabase: { url: ${JSON.stringify(url)} }\napp: { type: none }\n`,
  );
  const target = new URL(server.url(`extreme_${at}_again`));
  const superuser = new URL(server.superuserUrl);
  target.password = '';
  const program = (...args: string[]) =>
    costOf([process.execPath, programs.stillpoint, ...args], {
      cwd: scratch,
      env: {
        STILLPOINT_CONFIG: config,
        STILLPOINT_PASSPHRASE: 'bench',
        STILLPOINT_STATE_DIR: join(scratch, 'state'),
        STILLPOINT_CACHE_DIR: join(scratch, 'cache'),
        PGPASSWORD: decodeURIComponent(superuser.password),
      },
    });
  await program('init');
  const pinMs: number[] = [];
  const backUp = async () => {
    const { stdout, ...cost } = await program('backup', '--json');
    const summary = JSON.parse(stdout.trim().split('\n').at(-1)!) as {
      readonly latch: { readonly captureMs: number };
    };
    pinMs.push(summary.latch.captureMs);
    return cost;
  };
  const first = await backUp();
  const unchanged = await backUp();
  while (pinMs.length < pins) await backUp();
  const restored = await program('restore', 'latest', '--only', 'database', '--database', target.href);
  const { stdout: _told, ...restore } = restored;
  await runStatements(server.superuserUrl, [
    `DROP DATABASE extreme_${at}`,
    `DROP DATABASE extreme_${at}_again`,
  ]);
  rmSync(scratch, { recursive: true });
  return { name, first, unchanged, restore, pinMs };
}
