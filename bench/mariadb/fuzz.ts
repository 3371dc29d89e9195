import { decodeEntry } from '../../engine/database/mysql/entry.ts';
import { entryKinds } from '../../engine/database/mysql/entry-parts.ts';
import type { MysqlOptions } from '../../engine/database/mysql/index.ts';
import { hex, readListing } from '../../store/index.ts';
import type { MariadbClient, MariadbServer } from '../servers/index.ts';
import { Chain } from './chain.ts';
import { events, type World } from './events.ts';

interface FuzzOptions {
  readonly server: MariadbServer;
  readonly seed: number;
  readonly runs: number;
  /** Guards that are taken out: then something must be found. */
  readonly guards?: MysqlOptions['guards'];
  readonly onRun?: (run: number) => void;
}

interface FuzzTotals {
  readonly backups: number;
  /** Ranges that were reused, and all. */
  readonly kept: number;
  readonly segments: number;
  readonly counts: Readonly<Record<string, number>>;
  /** What differed, by run. */
  readonly wrong: readonly string[];
}

/** A generator of numbers from 0 to below 1 that a seed repeats. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Incremental backups of random changes, some before, some inside transactions that are open across the pin, some right
 * after it; each compared, row for row and definition for definition, with a full backup that is read at the same pin.
 */
export async function fuzzMariadb(options: FuzzOptions): Promise<FuzzTotals> {
  const { server, seed, guards } = options;
  const database = `fuzz${seed}`;
  await server.sql(`CREATE DATABASE ${database} CHARACTER SET utf8mb4`);
  const [client, other] = [await server.connect(database), await server.connect(database)];
  const world: World = { client, other, random: randomFrom(seed), isOpen: false };
  const counts: Record<string, number> = {};
  const wrong: string[] = [];
  const totals = { backups: 0, kept: 0, segments: 0 };
  await events['create']!(world);
  const chain = new Chain(server, database, { rangeBytes: 2048, ...(guards && { guards }) });
  await chain.backUp();
  for (let run = 1; run <= options.runs; run += 1) {
    const full = new Chain(server, database, { rangeBytes: 1 << 30 });
    const change = (most: number, only: 'any' | 'after') => applySome({ world, counts, most, only });
    const precopy = pick(world, [undefined, undefined, 'new', 'all'] as const);
    await change(6, 'any');
    try {
      await chain.backUp({
        ...(precopy && { precopy }),
        prepared: () => change(3, 'any'),
        pinned: async () => {
          await full.backUp();
          await change(3, 'after');
        },
      });
      totals.backups += 1;
      totals.segments += chain.last!.segments;
      totals.kept += chain.last!.segments - chain.last!.changedSegments;
      const difference = await compare(full, chain);
      if (difference) wrong.push(`run ${run}: ${difference}`);
    } catch (error) {
      wrong.push(`run ${run}: ${String(error)}`);
    }
    if (world.isOpen && world.random() < 0.5) await endTransaction(world);
    options.onRun?.(run);
    if (wrong.length > 0 && guards) break;
  }
  if (world.isOpen) await endTransaction(world);
  for (const one of [client, other]) await (one as MariadbClient).end();
  await server.sql(`DROP DATABASE ${database}`);
  return { ...totals, counts, wrong };
}

function pick<T>(world: World, items: readonly T[]): T {
  return items[Math.floor(world.random() * items.length)]!;
}

async function endTransaction(world: World): Promise<void> {
  await world.other.query(world.random() < 0.7 ? 'COMMIT' : 'ROLLBACK');
  world.isOpen = false;
}

async function applySome(job: {
  readonly world: World;
  readonly counts: Record<string, number>;
  readonly most: number;
  readonly only: 'any' | 'after';
}): Promise<void> {
  const { world, counts } = job;
  const names = Object.keys(events).filter(one => one !== 'create');
  const many = Math.floor(world.random() * (job.most + 1));
  for (let i = 0; i < many; i += 1) {
    const name = pick(world, names);
    const key = job.only === 'after' ? `${name} after the pin` : name;
    try {
      await events[name]!(world);
      counts[key] = (counts[key] ?? 0) + 1;
    } catch {
      // A lock of the pin or of an open transaction, a name that is taken, a column that is gone: as it may be.
      counts[`${key}, refused`] = (counts[`${key}, refused`] ?? 0) + 1;
    }
  }
}

/** Everything but the ranges as they are; of the ranges their rows. Undefined: equal. */
async function compare(full: Chain, incremental: Chain): Promise<string | undefined> {
  const [a, b] = [await describe(full), await describe(incremental)];
  for (const key of new Set([...a.keys(), ...b.keys()]))
    if (a.get(key) !== b.get(key)) return `${key} differs`;
  return undefined;
}

async function describe(chain: Chain): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const entry of readListing(chain.chunks, chain.last!.root)) {
    if (entry.key[0] === entryKinds.range) continue;
    const one = decodeEntry(entry);
    const contents = entry.contents.map(content =>
      JSON.stringify(content, (_, value: unknown) => (value instanceof Uint8Array ? hex(value) : value)),
    );
    found.set(`${one.entry} ${'name' in one ? one.name : ''}`, `${hex(entry.body)} ${contents.join(' ')}`);
    if (one.entry === 'table')
      found.set(`rows of ${one.name}`, (await chain.rows(one.name)).split('\n').sort().join('\n'));
  }
  return found;
}
