import { rollDice } from '../instance/random.ts';
import type { PostgresServer, Role } from '../servers/index.ts';
import { type BackupOutcome, Chain, makeFuzzStore, type Variant } from './chain.ts';
import { type FuzzEvent, type Phase, planRounds, type Round } from './events.ts';
import { type Outcome, World } from './world.ts';

/** A fresh database, changed and backed up again and again. The same seed and number mean the same events. */
export interface EpisodeOptions {
  readonly server: PostgresServer;
  readonly seed: number;
  readonly number: number;
  readonly variant: Variant;
  readonly rounds: readonly Round[];
  /** Not to go on after the first wrong one. */
  readonly stopAtWrong: boolean;
  /** Ends it after any backup. */
  readonly isOver?: () => boolean;
  readonly onBackup?: (round: Round, outcome: BackupOutcome) => void;
  readonly onEvent?: (event: FuzzEvent, outcome: Outcome) => void;
}

/** Settings of a server that is to be fuzzed: only the events change anything, and a crash loses commits. */
export const fuzzSettings = {
  autovacuum: 'off',
  max_prepared_transactions: 20,
  wal_writer_delay: '10s',
  lo_compat_privileges: 'on',
} as const;

export function roundsOf(seed: number, episode: number, count: number): Round[] {
  return planRounds(rollDice(Math.imul(seed, 0x9e3779b1) ^ Math.imul(episode + 1, 0x85ebca6b)), count);
}

/** Settings that a server needs are `fuzzSettings`. */
export async function runEpisode(options: EpisodeOptions): Promise<void> {
  const { server } = options;
  const name = `fuzz_${options.variant}_${options.number}_${serial++}`;
  const url = await server.createDatabase(name);
  try {
    await using world = new World(server, url);
    await world.start();
    await using store = await makeFuzzStore();
    const readerUrl = options.number % 3 === 2 ? server.url(name, await makeReader(url)) : url;
    const chain = new Chain({ url, readerUrl, store, variant: options.variant });
    for (const round of options.rounds) {
      const outcome = await runRound(round, { ...options, world, chain });
      options.onBackup?.(round, outcome);
      if (options.stopAtWrong && outcome.wrong && outcome.wrong.length > 0) break;
      if (options.isOver?.()) break;
    }
  } finally {
    await dropDatabase(server, name);
  }
}

let serial = 0;

/** A role that may read all tables, but not the pages of large objects. */
async function makeReader(url: string): Promise<Role> {
  const { Client } = (await import('pg')).default;
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`DO $$ BEGIN CREATE ROLE reader LOGIN PASSWORD 'reader' IN ROLE pg_read_all_data;
      EXCEPTION WHEN duplicate_object THEN NULL; END $$`);
  } finally {
    await client.end();
  }
  return { name: 'reader', password: 'reader' };
}

async function runRound(
  round: Round,
  parts: EpisodeOptions & { readonly world: World; readonly chain: Chain },
): Promise<BackupOutcome> {
  const { world, chain } = parts;
  const run = async (phase: Phase): Promise<void> => {
    for (const event of round.events[phase]) parts.onEvent?.(event, await world.run(event, phase));
  };
  await run('before');
  const outcome = await chain.backUp(round, {
    betweenPrepareAndPin: () => run('between'),
    afterPin: () => run('after'),
  });
  await world.settle();
  return outcome;
}

/** With the transactions that were prepared in it and never ended. */
async function dropDatabase(server: PostgresServer, name: string): Promise<void> {
  const { Client } = (await import('pg')).default;
  const client = new Client({ connectionString: server.url(name) });
  await client.connect();
  try {
    const { rows } = await client.query<{ gid: string }>(
      'SELECT gid FROM pg_prepared_xacts WHERE database = current_database()',
    );
    for (const { gid } of rows) await client.query(`ROLLBACK PREPARED '${gid}'`);
  } finally {
    await client.end();
  }
  const other = new Client({ connectionString: server.superuserUrl });
  await other.connect();
  try {
    await other.query(`DROP DATABASE ${name} WITH (FORCE)`);
  } finally {
    await other.end();
  }
}
