import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bitbucket, type LatchedApplication } from '../../../engine/app/index.ts';
import { standGuard } from '../../../engine/latch/guard.ts';
import { type LatchWindow, type Released, releaseLatches, withLatch } from '../../../engine/latch/index.ts';
import { heldHere, type LatchRecord } from '../../../engine/latch/record.ts';
import type { StartSentinel } from '../../../engine/latch/sentinel.ts';
import { armSentinel } from '../../../engine/latch/sentinel-link.ts';
import type { LatchRecord as Latch } from '../../instance/maintenance.ts';
import { type Arrival, access, type Outage, SimulatedApplication } from './application.ts';
import { type Fault, isAt, type Schedule } from './faults.ts';
import { interceptFileCalls } from './file-calls.ts';
import { openPipes } from './pipes.ts';
import { type Moment, Moments, Side } from './side.ts';
import { World } from './world.ts';

/** How the program came to its end; undefined in the facts when it was killed first. */
export interface End {
  readonly atMs: number;
  readonly code: string | undefined;
  readonly result: string | undefined;
}

/** Everything that can be known of a run, by the time of its world. */
export interface Facts {
  readonly schedule: Schedule;
  readonly moments: readonly Moment[];
  readonly latches: readonly Readonly<Latch>[];
  readonly arrivals: readonly Arrival[];
  readonly outages: readonly Outage[];
  /** Whom the answers with the tokens reached, in the order of the latches. */
  readonly told: readonly (readonly { readonly side: string; readonly atMs: number }[])[];
  readonly program: Side;
  readonly sentinel: Side;
  readonly end: End | undefined;
  readonly isGuardEnded: boolean;
  readonly isLocked: boolean;
  readonly records: readonly LatchRecord[];
  /** From the start of the body's work to its end, where it came to it. */
  readonly body: { fromMs: number | undefined; toMs: number | undefined };
  /**
   * What the next run finds, first as it is, then after the application was restarted where nobody had the token.
   * Undefined where nothing was left that it could find.
   */
  readonly next:
    | { readonly released: Released; readonly isRestarted: boolean; readonly end: End }
    | undefined;
}

/** Runs one latch under a schedule, to the rest that follows, and then the next run. */
export async function simulate(schedule: Schedule): Promise<Facts> {
  const undo = interceptFileCalls();
  const stateDir = mkdtempSync(join(tmpdir(), 'latch-'));
  try {
    const run = new Simulated(schedule, stateDir);
    return await run.toRest();
  } finally {
    undo();
    rmSync(stateDir, { recursive: true });
  }
}

class Simulated {
  readonly #schedule: Schedule;
  readonly #stateDir: string;
  readonly #world = new World();
  readonly #moments = new Moments();
  readonly #application: SimulatedApplication;
  readonly #body: Facts['body'] = { fromMs: undefined, toMs: undefined };
  #isGuardEnded = false;

  constructor(schedule: Schedule, stateDir: string) {
    this.#schedule = schedule;
    this.#stateDir = stateDir;
    this.#application = new SimulatedApplication(this.#world, schedule);
  }

  async toRest(): Promise<Facts> {
    const [program, sentinel] = [this.#side('program'), this.#side('sentinel')];
    this.#moments.onMoment = moment => {
      for (const injection of this.#schedule.injections)
        if (isAt(injection, moment)) this.#happen(injection.fault, { program, sentinel });
    };
    const ended = this.#backUp({ program, sentinel });
    await this.#world.run();
    const end = ended.value;
    if (program.diedAtMs !== undefined) heldHere.clear(); // what the end of a process means to whoever asks
    const { latches } = this.#application.maintenance;
    const facts = {
      schedule: this.#schedule,
      moments: [...this.#moments.seen],
      latches: structuredClone(latches) as Latch[],
      arrivals: [...this.#application.arrivals],
      outages: this.#application.outages,
      told: [...this.#application.told.values()],
      program,
      sentinel,
      end,
      isGuardEnded: this.#isGuardEnded,
      isLocked: this.#application.maintenance.isLocked,
      records: this.#records(),
      body: { ...this.#body },
    };
    const isClean = !facts.isLocked && facts.records.length === 0;
    return { ...facts, next: isClean ? undefined : await this.#next() };
  }

  #side(name: 'program' | 'sentinel'): Side {
    return new Side(name, { world: this.#world, moments: this.#moments });
  }

  #happen(fault: Fault, sides: { readonly program: Side; readonly sentinel: Side }): void {
    const sidesOf = (who: 'program' | 'sentinel' | 'both') =>
      who === 'both' ? [sides.program, sides.sentinel] : [sides[who]];
    switch (fault.kind) {
      case 'kill':
        this.#world.diskFreeAtMs = this.#world.nowMs + fault.ms;
        for (const side of sidesOf(fault.who)) side.kill();
        break;
      case 'stop':
        for (const side of sidesOf(fault.who)) side.stop(fault.ms);
        break;
      case 'cancel':
        this.#application.maintenance.endTask('CANCELED');
        break;
      case 'outage':
        this.#application.begin(fault, fault.ms);
        break;
      case 'restart':
        this.#application.restart(fault.ms);
        break;
      default:
        fault satisfies never;
    }
  }

  /** What `stillpoint backup` does about the latch; the value is there once it has ended. */
  #backUp({ program, sentinel }: { readonly program: Side; readonly sentinel: Side }): {
    value: End | undefined;
  } {
    const ended: { value: End | undefined } = { value: undefined };
    const finish = (how: Pick<End, 'code' | 'result'>) => {
      if (program.diedAtMs === undefined) ended.value = { ...how, atMs: this.#world.nowMs };
    };
    const startSentinel: StartSentinel = async (arms, { clock }) => {
      const pipes = openPipes({ world: this.#world, program, sentinel });
      sentinel
        .run(() =>
          standGuard({ ...pipes.forSentinel, clock: sentinel.clock, open: () => this.#client(sentinel) }),
        )
        .then(() => {
          this.#isGuardEnded = true;
          pipes.sentinelEnded();
        });
      return armSentinel(pipes.forProgram, { arms, clock });
    };
    program
      .run(() =>
        withLatch(
          {
            app: this.#client(program),
            stateDir: this.#stateDir,
            instance: 'instance',
            ...this.#schedule.budgets,
            clock: program.clock,
            startSentinel,
            onPhase: phase => program.wait(`phase ${phase}`, { ms: 0.1 }),
          },
          window => this.#work(program, window),
        ),
      )
      .then(
        ({ result }) => finish({ code: undefined, result }),
        (error: { readonly code?: string }) =>
          finish({ code: error.code ?? String(error), result: undefined }),
      );
    return ended;
  }

  /** Long enough for the application to be asked meanwhile. */
  async #work(program: Side, { signal, progress, fence }: LatchWindow): Promise<string> {
    this.#body.fromMs = this.#world.nowMs;
    fence(async () => {
      await program.wait('body pin is checked', { ms: 1 });
      return true;
    });
    await program.wait('body pins', { ms: 20, signal });
    progress(50);
    await program.wait('body captures', { ms: 1_200, signal });
    this.#body.toMs = this.#world.nowMs;
    return 'captured';
  }

  #client(side: Side): LatchedApplication {
    return bitbucket(access, { open: this.#application.transportFor(side) });
  }

  #records(): LatchRecord[] {
    const folder = join(this.#stateDir, 'latches');
    let names: string[] = [];
    try {
      names = readdirSync(folder).filter(name => name.endsWith('.json') || name.endsWith('.noted'));
    } catch {
      return []; // it never came to it
    }
    return names.map(name => JSON.parse(readFileSync(join(folder, name), 'utf8')) as LatchRecord);
  }

  async #next(): Promise<NonNullable<Facts['next']>> {
    this.#moments.onMoment = () => {};
    const released = await this.#release();
    const isRestarted = released.unresolved.length > 0;
    if (isRestarted) {
      this.#application.restart(0);
      await this.#release();
    }
    const ended = this.#backUp({ program: this.#side('program'), sentinel: this.#side('sentinel') });
    await this.#world.run();
    return { released, isRestarted, end: ended.value! };
  }

  async #release(): Promise<Released> {
    const side = this.#side('program');
    const app = this.#client(side);
    const options = { stateDir: this.#stateDir, instance: 'instance', app, clock: side.clock };
    const released = side.run(() => releaseLatches(options));
    released.catch(() => undefined); // thrown below
    await this.#world.run();
    return released;
  }
}
