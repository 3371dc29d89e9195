import type { Clock } from '../../store/index.ts';
import type { CallOptions } from '../app/index.ts';
import type { CommandRecord } from '../command/index.ts';

/**
 * What goes on inside a locked application until it is unlocked: it comes to rest, is asked whether it still is, and
 * shows its users how far the capture is. One for each kind of application.
 */
export interface Rest {
  /** The application's backup task; null where it has none. */
  readonly taskId: string | null;
  /** Between two looks while the capture runs. */
  readonly lookEveryMs: number;
  begin(signal: AbortSignal): Promise<void>;
  /** Resolves when the application is at rest; APP_NOT_DRAINED when it is not in time. */
  drain(options: { readonly signal: AbortSignal; readonly timeoutMs: number }): Promise<void>;
  /** Whether it is still held, asked while the capture runs: LATCH_LAPSED, APP_CANCELED; another failure proves nothing. */
  look(signal: AbortSignal): Promise<void>;
  /** As look, once everything is captured: what is not proven has lapsed. */
  prove(signal: AbortSignal): Promise<void>;
  /** 0…100 of the capture. Never fails and never delays. */
  report(percent: number): void;
  /** Lets the application's writers go, when all is proven. */
  finish(): Promise<void>;
  /** Ends what goes on inside, after a failure; undefined when nothing does. */
  readonly cancel: ((options: CallOptions) => Promise<void>) | undefined;
  /** Drops what is still under way; resolves when nothing is. Idempotent. */
  end(): Promise<void>;
}

export interface RestOptions {
  readonly token: string;
  readonly clock: Clock;
  /** Told of the token that ends the task from the application's page, with the command for it. */
  readonly onCancelToken: (token: string, command: string) => void;
  readonly onCommand: ((record: CommandRecord) => void) | undefined;
}
