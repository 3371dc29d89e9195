import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { type Cost, costOf } from '../compare/cost.ts';
import { better, ourName, type Step } from '../compare/result.ts';
import { folderBytes } from '../rows/dump.ts';
import { readSizes, runStatements, states } from '../rows/states.ts';
import { type PostgresServer, startServer } from '../servers/index.ts';
import { settled } from './files.ts';
import { passwordOf, programOn } from './program-on.ts';
import type { Workload } from './workload.ts';

const rowsAll = 5_000_000;
const rowsQuick = 5_000;
const dumpName = 'pg_dump';

/** One large table, beside `pg_dump` and `pg_restore` with two jobs. */
export const database: Workload = {
  name: 'database',
  about: 'a table of 1 GB, beside pg_dump -Fd -j2 and pg_restore -j2',
  async run({ folder, rounds, quick, say }) {
    const startedMs = performance.now();
    const rows = quick ? rowsQuick : rowsAll;
    await using server = await startDatabaseServer();
    const url = await makeTable(server, rows);
    const sql = (name: string) => states.find(state => state.name === name)!.statements(rows);
    const made: Round[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const scratch = join(folder, 'round');
      mkdirSync(scratch);
      const result = await measureRound({
        server,
        url,
        scratch,
        isOursFirst: round % 2 === 0,
        change: () => runStatements(url, [...sql('0.1 % random updates'), 'CHECKPOINT']),
      });
      rmSync(scratch, { recursive: true, force: true });
      made.push(result);
      const { ours, theirs } = result;
      say(
        `  round ${round + 1}: first ${beside(ours.first, theirs.first)}, unchanged ${beside(ours.unchanged, theirs.unchanged)}, ` +
          `restore ${beside(ours.restore, theirs.restore)}; 0.1 % of the rows stored in ${(result.changedBytes / 1e6).toFixed(2)} MB`,
      );
    }
    const { heapBytes } = await readSizes(url);
    return {
      workload: database.name,
      data: { rows, heapBytes, server: server.version },
      steps: stepsOf(made),
      seconds: (performance.now() - startedMs) / 1000,
    };
  },
};

/** A server with room for a large table. */
export function startDatabaseServer(): Promise<PostgresServer> {
  return startServer({
    kind: 'debian',
    storage: 'disk',
    settings: {
      shared_buffers: '512MB',
      max_wal_size: '4GB',
      maintenance_work_mem: '256MB',
      autovacuum: 'off',
    },
  });
}

/** The URL of a database with one table, 200 bytes a row. */
export async function makeTable(server: PostgresServer, rows: number): Promise<string> {
  const url = await server.createDatabase('bench');
  await runStatements(url, states.find(({ name }) => name === 'first copy')!.statements(rows));
  return url;
}

const timed = ['first', 'unchanged', 'restore'] as const;
type Costs = Readonly<Record<(typeof timed)[number], Cost>>;

interface Round {
  readonly ours: Costs;
  readonly theirs: Costs;
  readonly storeBytes: number;
  readonly dumpBytes: number;
  /** Stored by the backup after 0.1 % of the rows were updated. */
  readonly changedBytes: number;
}

interface RoundOptions {
  readonly server: PostgresServer;
  readonly url: string;
  readonly scratch: string;
  readonly isOursFirst: boolean;
  readonly change: () => Promise<void>;
}

async function measureRound({ server, url, scratch, isOursFirst, change }: RoundOptions): Promise<Round> {
  const store = join(scratch, 'store');
  const program = programOn({ server, url, scratch });
  const client = (name: string, ...args: string[]) =>
    costOf([join(server.clientDir!, name), ...args], {
      cwd: scratch,
      env: { PGPASSWORD: passwordOf(server) },
    });
  const dump = join(scratch, 'dump');
  const again = join(scratch, 'dump-again');
  await program('init');
  const ourBackup = () => settled(() => program('backup'));
  const [first, theirFirst] = await inTurn(isOursFirst, [
    ourBackup,
    () => settled(() => client(dumpName, '-Fd', '-j2', '-Z1', '-f', dump, url)),
  ]);
  const storeBytes = folderBytes(store);
  const [unchanged, theirUnchanged] = await inTurn(isOursFirst, [
    ourBackup,
    () => settled(() => client(dumpName, '-Fd', '-j2', '-f', again, url)),
  ]);
  const [restore, theirRestore] = await inTurn(isOursFirst, [
    () =>
      settled(() => program('restore', 'latest', '--only', 'database', '--database', place(server, 'ours'))),
    async () => {
      const theirs = await server.createDatabase('theirs');
      return settled(() => client('pg_restore', '-j2', '-d', theirs, dump));
    },
  ]);
  const facts = await Promise.all([url, server.url('ours'), server.url('theirs')].map(factsOf));
  if (facts[1] !== facts[0] || facts[2] !== facts[0])
    throw new Error(`A restored database is not what was backed up: ${facts.join(' | ')}`);
  await runStatements(server.superuserUrl, ['DROP DATABASE ours', 'DROP DATABASE theirs']);
  await change();
  const before = folderBytes(store);
  await program('backup');
  return {
    ours: { first, unchanged, restore },
    theirs: { first: theirFirst, unchanged: theirUnchanged, restore: theirRestore },
    storeBytes,
    dumpBytes: folderBytes(dump),
    changedBytes: folderBytes(store) - before,
  };
}

/** A database for the command line, which takes no password. */
export function place(server: PostgresServer, name: string): string {
  const url = new URL(server.url(name));
  url.password = '';
  return url.href;
}

async function inTurn(
  isFirstFirst: boolean,
  [a, b]: readonly [() => Promise<Cost>, () => Promise<Cost>],
): Promise<[Cost, Cost]> {
  if (isFirstFirst) {
    const first = await a();
    return [first, await b()];
  }
  const second = await b();
  return [await a(), second];
}

/** Every row, in a number; and the definition's indexes. */
async function factsOf(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ facts: string }>(
      `SELECT count(*) || ' rows, ' || sum(hashtextextended(account::text, 0)) || ', ' ||
        (SELECT string_agg(indexdef, '; ' ORDER BY indexdef) FROM pg_indexes WHERE tablename = 'account') AS facts
       FROM account`,
    );
    return rows[0]!.facts;
  } finally {
    await client.end();
  }
}

const beside = (ours: Cost, theirs: Cost): string =>
  `${ours.seconds.toFixed(2)} s (${theirs.seconds.toFixed(2)})`;

function stepsOf(rounds: readonly Round[]): Step[] {
  const names = { first: 'first copy', unchanged: 'unchanged', restore: 'restore' } as const;
  const against = { first: 'pg_dump -Z1', unchanged: dumpName, restore: 'pg_restore' } as const;
  const factors = { first: 1 / 0.6, unchanged: 8, restore: 1 } as const;
  return [
    ...timed.map((step): Step => {
      const than = against[step];
      const by = <T>(pick: (cost: Cost) => T) => ({
        [ourName]: rounds.map(round => pick(round.ours[step])),
        [than]: rounds.map(round => pick(round.theirs[step])),
      });
      return {
        name: names[step],
        unit: 'seconds',
        runs: by(cost => cost.seconds),
        costs: by(cost => cost),
        targets: [better(than, factors[step])],
      };
    }),
    {
      name: 'store size',
      unit: 'bytes',
      runs: {
        [ourName]: rounds.map(round => round.storeBytes),
        'pg_dump -Z1': rounds.map(round => round.dumpBytes),
      },
      targets: [],
    },
    {
      name: 'stored after 0.1 % random updates',
      unit: 'bytes',
      runs: { [ourName]: rounds.map(round => round.changedBytes) },
      targets: [{ kind: 'at-most', value: 3_000_000 }],
    },
  ];
}
