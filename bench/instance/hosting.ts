import type { Clock } from '../../store/index.ts';
import type { Acknowledged, AcknowledgementLog } from './acknowledged.ts';
import { readTip, type Tip, writeCommit } from './commits.ts';
import type { Database, SideRow } from './database.ts';
import type { Gate } from './gate.ts';
import { git } from './git.ts';
import { type HomeLog, repositoryPath } from './home.ts';
import type { Dice } from './random.ts';
import { moveRef, type RefMove, readRef, readRefs, zeroHash } from './refs.ts';

export interface PushRequest {
  readonly repositoryId: number;
  readonly ref: string;
  readonly also?: readonly SideRow[];
  /** Runs after the ref moved and before its row is written: a slow write, for tests of the drain. */
  readonly during?: () => Promise<void>;
}

interface Parts {
  readonly home: string;
  readonly log: HomeLog;
  readonly database: Database;
  readonly gate: Gate;
  readonly acknowledged: AcknowledgementLog;
  readonly clock: Clock;
  readonly dice: Dice;
}

const settleMsMax = 30_000;

/**
 * The application's writes. Each passes the gate, moves refs, commits their rows, and only then counts as acknowledged;
 * writes to one repository follow each other, so that rows and refs have one order.
 */
export class Hosting {
  readonly #parts: Parts;
  readonly #turns = new Map<number, Promise<unknown>>();
  readonly #tips = new Map<string, Tip>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** One commit on a branch, which is made from main where it does not exist. Throws LockedError. */
  async push(request: PushRequest): Promise<Acknowledged> {
    const { repositoryId, ref, during } = request;
    const path = repositoryPath(this.#parts.home, repositoryId);
    const [done] = await this.#change(request, async () => {
      const from = readRef(path, ref);
      const parent = await this.#tip(repositoryId, { ref, commit: from ?? readRef(path, 'refs/heads/main') });
      const { clock, dice } = this.#parts;
      const change = {
        dice,
        atSeconds: Math.floor(clock.nowMs() / 1000),
        message: `Change ${clock.nowNs()}`,
      };
      const tip = writeCommit(path, parent, change);
      const move = { ref, from, to: tip.commit };
      await moveRef(path, move, clock);
      this.#tips.set(`${repositoryId} ${ref}`, tip);
      await during?.();
      return [move];
    });
    return done!;
  }

  /** Deletes a branch; undefined where it does not exist. Throws LockedError. */
  async deleteBranch(request: PushRequest): Promise<Acknowledged | undefined> {
    const { repositoryId, ref } = request;
    const path = repositoryPath(this.#parts.home, repositoryId);
    const [done] = await this.#change(request, async () => {
      const from = readRef(path, ref);
      if (from === null) return [];
      const move = { ref, from, to: null };
      await moveRef(path, move, this.#parts.clock);
      return [move];
    });
    return done;
  }

  /** Lets somebody else (git receive-pack) change a repository, and records whatever refs have moved. Throws LockedError. */
  async receive(repositoryId: number, change: () => Promise<void>): Promise<Acknowledged[]> {
    const path = repositoryPath(this.#parts.home, repositoryId);
    return this.#change({ repositoryId, ref: '*' }, async () => {
      const before = readRefs(path);
      await change();
      return movesBetween(before, readRefs(path));
    });
  }

  /** What the application does by itself, beside the pushes. Throws LockedError while latched. */
  async repack(repositoryId: number): Promise<void> {
    const { gate, home, log } = this.#parts;
    const ticket = gate.enter('background', ['scm']);
    try {
      const cwd = repositoryPath(home, repositoryId);
      // Unreachable commits are kept, as the application keeps those of merged pull requests.
      await git(['repack', '-adkq'], { cwd });
      await git(['pack-refs', '--all', '--prune'], { cwd });
      log.write(`[gc] repacked repository ${repositoryId}`);
    } finally {
      ticket.release();
    }
  }

  async #change(request: PushRequest, move: () => Promise<RefMove[]>): Promise<Acknowledged[]> {
    const { gate, clock } = this.#parts;
    const ticket = gate.enter('request');
    const acceptedMs = clock.monotonicMs();
    try {
      return await this.#inTurn(request.repositoryId, async () => {
        const moves = await move();
        return this.#record(request, { moves, acceptedMs, movedWallMs: clock.nowMs() });
      });
    } finally {
      ticket.release();
    }
  }

  async #record(
    request: PushRequest,
    moved: { readonly moves: readonly RefMove[]; readonly acceptedMs: number; readonly movedWallMs: number },
  ): Promise<Acknowledged[]> {
    const { database, acknowledged, clock, log } = this.#parts;
    const { repositoryId, also } = request;
    if (moved.moves.length === 0) return [];
    let rowIds: number[];
    try {
      rowIds = await database.recordMoves(repositoryId, moved.moves, also);
    } catch (error) {
      for (const move of moved.moves) await this.#settle(repositoryId, move);
      throw error;
    }
    const times = { acceptedMs: moved.acceptedMs, movedWallMs: moved.movedWallMs };
    const now = { acknowledgedMs: clock.monotonicMs(), acknowledgedWallMs: clock.nowMs() };
    return moved.moves.map((move, n) => {
      log.write(`[push] repository ${repositoryId} ${move.ref} to ${move.to ?? zeroHash}`);
      return acknowledged.add({ repositoryId, ...move, rowId: rowIds[n]!, ...times, ...now });
    });
  }

  /** After a write to the database failed: its outcome may be unknown, so asks, and moves the ref back if need be. */
  async #settle(repositoryId: number, move: RefMove): Promise<void> {
    const { database, clock, home } = this.#parts;
    const deadline = clock.monotonicMs() + settleMsMax;
    for (;;) {
      try {
        const newest = await database.newestHash(repositoryId, move.ref);
        const recorded = newest !== null && newest.hash === (move.to ?? zeroHash);
        const back = { ref: move.ref, from: move.to, to: move.from };
        if (!recorded) await moveRef(repositoryPath(home, repositoryId), back, clock);
        return;
      } catch (error) {
        if (clock.monotonicMs() > deadline) throw error;
        await clock.sleep(100);
      }
    }
  }

  async #tip(
    repositoryId: number,
    at: { readonly ref: string; readonly commit: string | null },
  ): Promise<Tip | null> {
    if (at.commit === null) return null;
    for (const ref of [at.ref, 'refs/heads/main']) {
      const known = this.#tips.get(`${repositoryId} ${ref}`);
      if (known?.commit === at.commit) return known;
    }
    return readTip(repositoryPath(this.#parts.home, repositoryId), at.commit);
  }

  async #inTurn<T>(repositoryId: number, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(repositoryId) ?? Promise.resolve();
    const turn = before.then(work, work);
    this.#turns.set(repositoryId, turn);
    return turn;
  }
}

function movesBetween(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): RefMove[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names]
    .map(ref => ({ ref, from: before.get(ref) ?? null, to: after.get(ref) ?? null }))
    .filter(move => move.from !== move.to);
}
