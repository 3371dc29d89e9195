import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Seams, systemSeams } from '../../store/index.ts';
import { type Acknowledged, AcknowledgementLog } from './acknowledged.ts';
import { serveControl } from './control.ts';
import { type Database, loadSchema, openDatabase } from './database.ts';
import { Faults } from './faults.ts';
import { Gate } from './gate.ts';
import { type HomeLog, homeLog, isHome, seedHome, writeProperties } from './home.ts';
import { Hosting, type PushRequest } from './hosting.ts';
import { type LatchRecord, Maintenance } from './maintenance.ts';
import type { Account, Call } from './maintenance-http.ts';
import { rollDice } from './random.ts';
import { seedRows } from './seed-rows.ts';
import type { Instance, InstanceOptions } from './types.ts';
import { Web } from './web.ts';
import { Writer, type WriterCounts, type WriterOptions } from './writer.ts';

/** Starts an instance; makes its home and fills its database where they are new. */
export async function createInstance(options: InstanceOptions): Promise<Instance> {
  const { clock } = options.seams ?? systemSeams;
  const temporary = options.home === undefined;
  const home = options.home ?? mkdtempSync(join(tmpdir(), 'stillpoint-home-'));
  mkdirSync(home, { recursive: true });
  const database = await openDatabase(options.databaseUrl);
  try {
    if (!isHome(home)) await seed(options, { home, database });
    writeProperties(home, options.databaseUrl);
    const log = homeLog(home, { clock, isOn: options.log !== 'off' });
    log.write('[start] Bitbucket 8.19.1 has started');
    const running = new Running(options, { home, log, database, temporary });
    await running.open();
    return running;
  } catch (error) {
    await database.close();
    if (temporary) rmSync(home, { recursive: true, force: true });
    throw error;
  }
}

async function seed(
  options: InstanceOptions,
  made: { readonly home: string; readonly database: Database },
): Promise<void> {
  const { repositories = 6, commitsPerRepository = 12, files = 0, rows = 1_000 } = options;
  const { clock } = options.seams ?? systemSeams;
  const dice = rollDice(options.seed ?? 1);
  const refs = await seedHome(made.home, { repositories, commitsPerRepository, files, dice, clock });
  await loadSchema(made.database);
  await seedRows(made.database, { repositories, rows });
  await made.database.recordSeed(refs);
}

class Running implements Instance {
  readonly home: string;
  readonly databaseUrl: string;
  readonly admin: Account = { user: 'admin', password: 'stand-in secret' };
  readonly faults = new Faults();
  readonly #options: InstanceOptions;
  readonly #seams: Seams;
  readonly #database: Database;
  readonly #temporary: boolean;
  readonly #gate = new Gate();
  readonly #log: HomeLog;
  readonly #acknowledged: AcknowledgementLog;
  readonly #maintenance: Maintenance;
  readonly #hosting: Hosting;
  readonly #slugs = new Map<string, number>();
  readonly #web: Web;
  #writer: Writer | undefined;
  #counts: WriterCounts | null = null;
  #branches = new Map<number, string[]>();
  #stopped: Promise<void> | undefined;

  constructor(
    options: InstanceOptions,
    made: {
      readonly home: string;
      readonly log: HomeLog;
      readonly database: Database;
      readonly temporary: boolean;
    },
  ) {
    this.home = made.home;
    this.databaseUrl = options.databaseUrl;
    this.#options = options;
    this.#seams = options.seams ?? systemSeams;
    this.#database = made.database;
    this.#temporary = made.temporary;
    this.#log = made.log;
    this.#acknowledged = new AcknowledgementLog(options.acknowledgements);
    const { clock, randomness } = this.#seams;
    this.#maintenance = new Maintenance({ gate: this.#gate, clock, randomness });
    const shared = { home: this.home, log: this.#log, gate: this.#gate, clock };
    const dice = rollDice((options.seed ?? 1) + clock.nowMs());
    this.#hosting = new Hosting({
      ...shared,
      database: made.database,
      acknowledged: this.#acknowledged,
      dice,
    });
    this.#web = new Web({
      ...shared,
      admin: this.admin,
      maintenance: this.#maintenance,
      hosting: this.#hosting,
      faults: this.faults,
      slugs: this.#slugs,
      control: request => serveControl(this, request),
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#web.port}`;
  }
  get port(): number {
    return this.#web.port;
  }
  get acknowledged(): readonly Acknowledged[] {
    return this.#acknowledged.entries;
  }
  get latches(): readonly Readonly<LatchRecord>[] {
    return this.#maintenance.latches;
  }
  get calls(): readonly Call[] {
    return this.#web.calls;
  }
  get isLocked(): boolean {
    return this.#maintenance.isLocked;
  }
  get repositoryIds(): readonly number[] {
    return [...this.#branches.keys()];
  }
  get counts(): WriterCounts | null {
    return this.#writer?.counts ?? this.#counts;
  }

  async open(): Promise<void> {
    for (const { id, projectKey, slug } of await this.#database.repositories()) {
      this.#slugs.set(`${projectKey}/${slug}`.toLowerCase(), id);
      this.#branches.set(id, []);
    }
    const live = await this.#database.query('SELECT repository_id, ref_name FROM public.live_ref');
    for (const row of live) this.#branches.get(Number(row['repository_id']))?.push(String(row['ref_name']));
    await this.#web.open(this.#options.port);
    if (this.#options.writer) this.startWriter(this.#options.writer);
  }

  nowMs(): number {
    return this.#seams.clock.monotonicMs();
  }

  cloneUrl(repositoryId: number): string {
    const found = [...this.#slugs].find(([, id]) => id === repositoryId);
    if (!found) throw new RangeError(`Cannot name repository ${repositoryId}: there is none`);
    return `http://somebody:anything@127.0.0.1:${this.port}/scm/${found[0]}.git`;
  }

  push(request: PushRequest): Promise<Acknowledged> {
    return this.#hosting.push(request);
  }

  repack(repositoryId: number): Promise<void> {
    return this.#hosting.repack(repositoryId);
  }

  setLog(log: 'on' | 'off'): void {
    this.#log.isOn = log === 'on';
  }

  startWriter(options: WriterOptions = {}): void {
    if (this.#writer) throw new Error('Cannot start the writer: it runs');
    const { clock } = this.#seams;
    const dice = rollDice((this.#options.seed ?? 1) * 31 + this.acknowledged.length);
    const cloneUrl = (repositoryId: number): string => this.cloneUrl(repositoryId);
    const parts = {
      hosting: this.#hosting,
      gate: this.#gate,
      clock,
      dice,
      branches: this.#branches,
      cloneUrl,
    };
    this.#writer = new Writer(parts, options);
  }

  async stopWriter(): Promise<WriterCounts | null> {
    const writer = this.#writer;
    await writer?.stop();
    if (writer) this.#counts = writer.counts;
    this.#writer = undefined;
    return this.#counts;
  }

  endTask(state: 'FAILED' | 'CANCELED'): void {
    this.#maintenance.endTask(state);
  }

  restart(options: { readonly downMs?: number } = {}): Promise<void> {
    return this.#web.restart(options.downMs);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(): Promise<void> {
    await this.stopWriter();
    await this.#web.close();
    await this.#database.close();
    this.#log.write('[stop] Bitbucket has stopped');
    this.#acknowledged.close();
    if (this.#temporary) rmSync(this.home, { recursive: true, force: true });
  }
}
