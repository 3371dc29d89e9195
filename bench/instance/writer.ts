import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../store/index.ts';
import type { Acknowledged } from './acknowledged.ts';
import { type Tip, writeCommit } from './commits.ts';
import type { SideRow } from './database.ts';
import { type Gate, LockedError } from './gate.ts';
import { git, runGit } from './git.ts';
import type { Hosting } from './hosting.ts';
import type { Dice } from './random.ts';

export interface WriterOptions {
  /** Ref moves a second, the real pushes apart; 40 unless told. */
  readonly perSecond?: number;
  /** Real `git push` over HTTP a second, one after the other; 0.5 unless told. */
  readonly pushesPerSecond?: number;
  /** A repack of one repository after the other; every 5000 ms unless told, 0 = never. */
  readonly repackEveryMs?: number;
  /** Of the moves, how many are followed by a second one of the same ref within the same second; 0.15 unless told. */
  readonly twiceShare?: number;
}

export interface WriterCounts {
  /** Moves acknowledged, the real pushes included. */
  readonly accepted: number;
  /** Attempts that met the lock. */
  readonly refused: number;
  /** Moves of a ref whose move before was in the same second of the wall clock. */
  readonly twiceInASecond: number;
  readonly realPushes: number;
  readonly created: number;
  readonly deleted: number;
  readonly repacks: number;
  /** Writes that failed for another reason than the lock, and the last such reason. */
  readonly failed: number;
  readonly lastFailure: string | null;
}

interface Parts {
  readonly hosting: Hosting;
  readonly gate: Gate;
  readonly clock: Clock;
  readonly dice: Dice;
  /** Existing branches by repository. */
  readonly branches: ReadonlyMap<number, readonly string[]>;
  /** The clone URL, with a name and password, of a repository. */
  readonly cloneUrl: (repositoryId: number) => string;
}

const lanes = 6;
const branchesMax = 8;
const main = 'refs/heads/main';
/** With less than this left of a second, no second push is tried in it. */
const secondsEndMs = 150;

/** Users at work: pushes, new and deleted branches, other rows, and the application's own repacks, at a set rate. */
export class Writer {
  readonly #parts: Parts;
  readonly #options: Required<WriterOptions>;
  readonly #stopping = new AbortController();
  readonly #branches: Map<number, Set<string>>;
  readonly #lastMoved = new Map<string, number>();
  readonly #work: Promise<void>[] = [];
  readonly #scratch = mkdtempSync(join(tmpdir(), 'stillpoint-client-'));
  #counts = {
    accepted: 0,
    refused: 0,
    twiceInASecond: 0,
    realPushes: 0,
    created: 0,
    deleted: 0,
    repacks: 0,
    failed: 0,
    lastFailure: null as string | null,
  };
  #named = 0;

  constructor(parts: Parts, options: WriterOptions = {}) {
    this.#parts = parts;
    this.#options = {
      perSecond: 40,
      pushesPerSecond: 0.5,
      repackEveryMs: 5_000,
      twiceShare: 0.15,
      ...options,
    };
    this.#branches = new Map([...parts.branches].map(([id, refs]) => [id, new Set(refs)]));
    const { perSecond, pushesPerSecond, repackEveryMs, twiceShare } = this.#options;
    const movesEach = 1 + twiceShare * (1 - secondsEndMs / 1000);
    for (let lane = 0; lane < lanes && perSecond > 0; lane += 1)
      this.#work.push(this.#repeat((lanes * 1000 * movesEach) / perSecond, () => this.#move()));
    if (pushesPerSecond > 0) this.#work.push(this.#push(1000 / pushesPerSecond));
    if (repackEveryMs > 0) this.#work.push(this.#repeat(repackEveryMs, () => this.#repack()));
  }

  get counts(): WriterCounts {
    return { ...this.#counts };
  }

  /** Waits for what is under way. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#work);
    rmSync(this.#scratch, { recursive: true, force: true });
  }

  /** Calls `act` every so often, one at a time. What the lock held up is not caught up with. */
  async #repeat(everyMs: number, act: () => Promise<void>): Promise<void> {
    const { clock, gate } = this.#parts;
    const { signal } = this.#stopping;
    let next = clock.monotonicMs() + this.#parts.dice.below(Math.ceil(everyMs));
    while (!signal.aborted) {
      try {
        await clock.sleep(Math.max(0, next - clock.monotonicMs()), signal);
        await act();
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof LockedError) {
          this.#counts.refused += 1;
          await gate.whenOpen('request', signal).catch(() => {}); // only the stop ends it early
        } else {
          this.#fail(error);
          await clock.sleep(Math.min(everyMs, 200));
        }
      }
      next = Math.max(next + everyMs, clock.monotonicMs() - 5 * everyMs);
    }
  }

  async #move(): Promise<void> {
    const { dice, hosting, clock } = this.#parts;
    const repositoryId = dice.pick([...this.#branches.keys()]);
    const known = this.#branches.get(repositoryId)!;
    const roll = dice.below(100);
    const removable = [...known].filter(ref => ref.startsWith('refs/heads/feature/'));
    if (roll < 7 && removable.length > 0) {
      const ref = dice.pick(removable);
      known.delete(ref);
      if (this.#accept(await hosting.deleteBranch({ repositoryId, ref }))) this.#counts.deleted += 1;
      return;
    }
    const creates = roll < 16 && known.size < branchesMax;
    const ref = creates ? this.#newBranch() : dice.pick([main, ...known]);
    known.add(ref);
    const first = await hosting.push({ repositoryId, ref, also: this.#alsoRows() });
    this.#accept(first);
    if (first.from === null) this.#counts.created += 1;
    // A second push of the same ref, soon enough to fall into the same second.
    const left = 1000 - (first.movedWallMs % 1000);
    if (dice.chance(this.#options.twiceShare) && left > secondsEndMs) {
      await clock.sleep(dice.below(Math.min(400, left - 100)));
      this.#accept(await hosting.push({ repositoryId, ref }));
    }
  }

  /** A client of its own: a bare repository beside the home, and `git push` from it over HTTP. */
  async #push(everyMs: number): Promise<void> {
    const { dice, cloneUrl, clock } = this.#parts;
    const client = join(this.#scratch, 'client.git');
    const tips = new Map<number, Tip>();
    try {
      await git(['init', '--quiet', '--bare', client], { cwd: this.#scratch });
    } catch (error) {
      this.#fail(error);
      return;
    }
    await this.#repeat(everyMs, async () => {
      const repositoryId = dice.pick([...this.#branches.keys()]);
      const atSeconds = Math.floor(clock.nowMs() / 1000);
      const tip = writeCommit(client, tips.get(repositoryId) ?? null, {
        dice,
        atSeconds,
        message: `By push ${clock.nowNs()}`,
      });
      tips.set(repositoryId, tip);
      const refspec = `+${tip.commit}:refs/heads/pushed/${repositoryId}`;
      const { code, stderr } = await runGit(['push', '--quiet', cloneUrl(repositoryId), refspec], {
        cwd: client,
      });
      if (code === 0) {
        this.#counts.realPushes += 1;
        this.#counts.accepted += 1;
      } else if (stderr.includes('503')) throw new LockedError();
      else throw new Error(`git push: ${stderr.trim()}`);
    });
  }

  async #repack(): Promise<void> {
    const ids = [...this.#branches.keys()];
    await this.#parts.hosting.repack(ids[this.#counts.repacks % ids.length]!);
    this.#counts.repacks += 1;
  }

  #accept(done: Acknowledged | undefined): boolean {
    if (!done) return false;
    this.#counts.accepted += 1;
    const key = `${done.repositoryId} ${done.ref}`;
    const second = Math.floor(done.movedWallMs / 1000);
    if (this.#lastMoved.get(key) === second) this.#counts.twiceInASecond += 1;
    this.#lastMoved.set(key, second);
    return true;
  }

  #newBranch(): string {
    this.#named += 1;
    return `refs/heads/feature/${this.#parts.clock.nowMs().toString(36)}-${this.#named}`;
  }

  #alsoRows(): SideRow[] {
    const { dice } = this.#parts;
    const roll = dice.below(100);
    if (roll < 15) return ['activity'];
    if (roll < 19) return ['pull-request', 'activity'];
    if (roll < 25) return ['comment', 'activity'];
    return roll < 27 ? ['build'] : [];
  }

  #fail(error: unknown): void {
    this.#counts.failed += 1;
    this.#counts.lastFailure = error instanceof Error ? error.message : String(error);
  }
}
