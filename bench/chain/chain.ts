import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { rollDice } from '../instance/random.ts';
import type { Rig } from '../rig/index.ts';
import { type Counts, changeSomething } from './changes.ts';
import { differences, type Reference, takeReference } from './reference.ts';

export interface ChainOptions {
  /** How many backups. */
  readonly runs: number;
  readonly seed: number;
  /** Hears of each step, a line each. */
  readonly onStep?: (line: string) => void;
}

/** What a chain came to. */
export interface ChainResult {
  /** Ids of what is left, oldest first. */
  readonly remaining: readonly string[];
  readonly forgotten: number;
  readonly prunes: number;
  readonly freedBytes: number;
  /** By kind of change, how often it was made. */
  readonly changes: ReadonlyMap<string, number>;
  /** Of the remaining snapshots, those whose restored halves differ from what was backed up, and in what. */
  readonly different: ReadonlyMap<string, readonly string[]>;
}

type Summary = Readonly<Record<string, unknown>>;

/** A snapshot that was taken, and what was there then. */
interface Taken {
  readonly instance: string;
  readonly reference: Reference;
}

/**
 * Backs the stand-in up many times with changes in between, forgets and prunes at random, and restores everything that
 * is left. Each snapshot must be what the home and the database were when it was taken, whatever went before or since.
 * Now and then it is backed up as another instance, into the same store.
 */
export async function runChain(rig: Rig, options: ChainOptions): Promise<ChainResult> {
  const chain = new Chain(rig, options);
  for (let run = 1; run <= options.runs; run += 1) {
    if (run > 1) await chain.change();
    await chain.backUp(run);
    if (run < options.runs) await chain.tidy(run);
  }
  await chain.prune([]);
  return await chain.check();
}

class Chain {
  readonly #rig: Rig;
  readonly #options: ChainOptions;
  readonly #dice: ReturnType<typeof rollDice>;
  readonly #cacheDir: string;
  readonly #otherConfig: string;
  readonly #taken = new Map<string, Taken>();
  readonly #held = new Set<string>();
  readonly #changes: Counts = new Map();
  #forgotten = 0;
  #prunes = 0;
  #freedBytes = 0;

  constructor(rig: Rig, options: ChainOptions) {
    this.#rig = rig;
    this.#options = options;
    this.#dice = rollDice(options.seed);
    this.#cacheDir = join(rig.folder, 'chain-cache');
    this.#otherConfig = join(rig.folder, 'other.yaml');
    const own = readFileSync(rig.configFile, 'utf8');
    writeFileSync(this.#otherConfig, own.replace(/^instance: .*$/m, 'instance: other'));
  }

  async change(): Promise<void> {
    const client = new pg.Client({ connectionString: this.#rig.instance.databaseUrl });
    await client.connect();
    try {
      await changeSomething({ instance: this.#rig.instance, client, dice: this.#dice }, this.#changes);
    } finally {
      await client.end();
    }
  }

  async backUp(run: number): Promise<void> {
    const { home, databaseUrl } = this.#rig.instance;
    const isOther = this.#dice.chance(0.2) || run % 5 === 3;
    const reference = await takeReference(home, databaseUrl);
    const summary = await this.#run(['backup', ...(isOther ? ['--config', this.#otherConfig] : [])]);
    const instance = String(summary['instance']);
    const parent = this.#remaining(instance).at(-1) ?? null;
    if (summary['parent'] !== parent)
      throw new Error(`The parent is ${summary['parent']}, the newest of ${instance} is ${parent}`);
    this.#taken.set(String(summary['snapshot']), { instance, reference });
    this.#say(`backup ${String(run).padStart(2)} of ${instance} ${describeBackup(summary)}`);
  }

  /** Now and then holds, forgets, prunes, or loses the cache; so that a short chain has it all, some of it by count. */
  async tidy(run: number): Promise<void> {
    const dice = this.#dice;
    if (dice.chance(0.1)) await this.#hold();
    if (dice.chance(0.2) || run % 5 === 0) await this.#forget();
    if (dice.chance(0.15) || run % 8 === 4 || run % 8 === 7)
      await this.prune(dice.chance(0.4) || run % 8 === 7 ? [...this.#policy()] : []);
    if (dice.chance(0.06)) {
      rmSync(this.#cacheDir, { recursive: true, force: true });
      this.#say('  the cache was removed');
    }
  }

  async prune(policy: readonly string[]): Promise<void> {
    const summary = await this.#run(['prune', ...policy]);
    const forgotten = (summary['forgotten'] as { id: string }[]).map(({ id }) => id);
    for (const id of forgotten) {
      if (this.#held.has(id)) throw new Error(`prune forgot ${id}, which is held`);
      if (this.#taken.get(id)?.instance !== 'bitbucket')
        throw new Error(`prune forgot ${id} of another instance`);
      this.#taken.delete(id);
    }
    this.#forgotten += forgotten.length;
    this.#prunes += 1;
    this.#freedBytes += Number(summary['freedBytes']);
    this.#say(
      `  prune ${policy.join(' ')}: ${forgotten.length} forgotten, ${mib(summary['freedBytes'])} freed, ${mib(summary['pendingBytes'])} pending`,
    );
  }

  async #hold(): Promise<void> {
    const id = this.#dice.pick(this.#remaining());
    const isHeld = this.#held.has(id);
    await this.#run(['hold', id, ...(isHeld ? ['--release'] : [])]);
    if (isHeld) this.#held.delete(id);
    else this.#held.add(id);
    this.#say(`  ${isHeld ? 'released' : 'holds'} ${short(id)}`);
  }

  /** The newest as well: the next backup's parent is then another. */
  async #forget(): Promise<void> {
    const free = this.#remaining().filter(id => !this.#held.has(id));
    const wanted = Math.min(free.length > 6 ? 1 + this.#dice.below(2) : 1, free.length - 1);
    if (wanted < 1) return;
    const ids = new Set(Array.from({ length: wanted }, () => this.#dice.pick(free)));
    await this.#run(['forget', ...ids]);
    for (const id of ids) this.#taken.delete(id);
    this.#forgotten += ids.size;
    this.#say(`  forgot ${[...ids].map(short).join(' ')}`);
  }

  #policy(): readonly string[] {
    const counted = this.#remaining('bitbucket').filter(id => !this.#held.has(id)); // a hold counts for no rule
    return ['--keep-last', String(Math.max(1, Math.floor(counted.length * 0.9)))];
  }

  /** Ids, oldest first. */
  #remaining(instance?: string): string[] {
    const all = [...this.#taken].filter(([, taken]) => instance === undefined || taken.instance === instance);
    return all.map(([id]) => id);
  }

  /** Everything that is left, byte by byte: in the store, and restored. */
  async check(): Promise<ChainResult> {
    const { snapshots } = await this.#run(['snapshots']);
    const listed = (snapshots as { id: string }[]).map(({ id }) => id);
    if (listed.join() !== this.#remaining().join())
      throw new Error(
        `The store lists ${listed.map(short)}; these should be left: ${this.#remaining().map(short)}`,
      );
    const verified = await this.#run(['verify', '--read-data']);
    this.#say(`verified ${verified['snapshots']} snapshots, ${mib(verified['bytesRead'])} read`);
    const different = new Map<string, readonly string[]>();
    for (const id of listed) {
      const lines = await this.#restoreAndCompare(id);
      if (lines.length > 0) different.set(id, lines);
    }
    const [forgotten, prunes, freedBytes] = [this.#forgotten, this.#prunes, this.#freedBytes];
    return { remaining: listed, forgotten, prunes, freedBytes, changes: this.#changes, different };
  }

  async #restoreAndCompare(id: string): Promise<string[]> {
    const { home, databaseUrl, summary } = await restoreAside(this.#rig, id);
    const found = await takeReference(home, databaseUrl);
    const lines = differences(this.#taken.get(id)!.reference, found);
    this.#say(
      `restore ${short(id)} in ${summary['durationMs']} ms: ${lines.length === 0 ? 'exact' : `${lines.length} differences, first ${lines[0]}`}`,
    );
    await removeRestored(this.#rig, id);
    return lines;
  }

  #run(args: readonly string[]): Promise<Summary> {
    return this.#rig.summary([...args, '--json'], { env: { STILLPOINT_CACHE_DIR: this.#cacheDir } });
  }

  #say(line: string): void {
    this.#options.onStep?.(line);
  }
}

/** Restores both halves into a place of their own, from the rig's store unless told. */
export async function restoreAside(
  rig: Rig,
  id: string,
  { store = rig.store }: { readonly store?: string } = {},
): Promise<{ home: string; databaseUrl: string; summary: Summary }> {
  const { home, databaseArgument, databaseUrl } = rig.target(placeOf(id));
  const target = ['--home', home, '--database', databaseArgument];
  const summary = await rig.summary(['restore', id, ...target, '--store', store, '--json']);
  return { home, databaseUrl, summary };
}

export async function removeRestored(rig: Rig, id: string): Promise<void> {
  rmSync(rig.target(placeOf(id)).home, { recursive: true, force: true });
  const client = new pg.Client({ connectionString: rig.server.superuserUrl });
  await client.connect();
  try {
    await client.query(`DROP DATABASE "${placeOf(id)}" WITH (FORCE)`);
  } finally {
    await client.end();
  }
}

const placeOf = (id: string) => `r${id.slice(0, 12)}`;
const short = (id: string) => id.slice(0, 8);
const mib = (bytes: unknown) => `${(Number(bytes) / 2 ** 20).toFixed(2)} MiB`;

function describeBackup(summary: Summary): string {
  const { home, database, stored, parent } = summary as Record<string, Record<string, number>>;
  const changed = `${home?.['changed']} of ${home?.['files']} files, ${database?.['changedSegments']} of ${database?.['segments']} segments`;
  const from = parent === null ? 'full' : `on ${short(String(parent))}`;
  return `${short(String(summary['snapshot']))} ${from}: ${changed}; ${stored?.['newChunks']} chunks, ${mib(stored?.['packedBytes'])}; ${summary['durationMs']} ms`;
}
