import { StillpointError } from '../../../../store/index.ts';
import { engineError } from '../../../errors.ts';
import { listBlockers } from '../connect/blockers.ts';
import type { Connection } from '../connect/connection.ts';
import { checkBackends, openConnection } from '../connect/open-connection.ts';
import type { PostgresOptions } from '../types.ts';
import { joinView, type Pinned, type PinPlan, pinView } from './pin.ts';

const readersDefault = 2;

/** The connections of one backup, and the view that they share. */
export class Connections {
  readonly pin: Connection;
  /** Outside any transaction: sees the server as it is now. */
  readonly watch: Connection;
  readonly readers: readonly Connection[];

  constructor(
    pin: Connection,
    rest: { readonly watch: Connection; readonly readers: readonly Connection[] },
  ) {
    this.pin = pin;
    this.watch = rest.watch;
    this.readers = rest.readers;
  }

  static async open(options: PostgresOptions): Promise<Connections> {
    const opened: Connection[] = [];
    try {
      const readers = new Array<string>(options.readers ?? readersDefault).fill('read');
      for (const purpose of ['pin', 'watch', ...readers])
        opened.push(await openConnection({ ...options, purpose }));
      await checkBackends(opened);
    } catch (error) {
      for (const connection of opened) await connection.close();
      throw error;
    }
    const [pin, watch, ...readers] = opened;
    return new Connections(pin!, { watch: watch!, readers });
  }

  get all(): readonly Connection[] {
    return [this.pin, this.watch, ...this.readers];
  }

  /** Something that is read live, from a view that is let go. */
  async inView<T>(plan: PinPlan, body: (pinned: Pinned) => Promise<T>): Promise<T> {
    const pinned = await this.takePin(plan);
    const result = await body(pinned);
    for (const one of [this.pin, ...this.readers]) await one.script('let go of a view', ['ROLLBACK']);
    return result;
  }

  /** All of it or none: after a failure nothing is held, and another try may follow. */
  async takePin(plan: PinPlan): Promise<Pinned> {
    try {
      const pinned = await pinView(this.pin, plan);
      await Promise.all(this.readers.map(reader => joinView(reader, pinned)));
      return pinned;
    } catch (error) {
      const named = await this.withBlockers(error);
      for (const one of [this.pin, ...this.readers])
        if (!one.isLost) await one.script('let go of a view', ['ROLLBACK']);
      throw named;
    }
  }

  /** Where somebody else's lock did not go away in time, says whose it is. */
  async withBlockers(error: unknown): Promise<unknown> {
    if (!isBlocked(error)) return error;
    const blockers = await listBlockers(this.watch).catch(() => []); // what failed first says more
    if (blockers.length === 0) return error;
    return engineError('DATABASE_FAILED', `${error.message} (${blockers.join('; ')})`, {
      remedy: 'Wait until that session has ended, or end it with pg_terminate_backend; then run it again.',
      context: error.context,
      cause: error,
    });
  }
}

/** Somebody else's lock did not go away in time. */
export function isBlocked(error: unknown): error is StillpointError {
  return error instanceof StillpointError && error.context['sqlState'] === '55P03';
}
