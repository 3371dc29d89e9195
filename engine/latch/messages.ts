import type { Readable } from 'node:stream';
import type { ApplicationAccess } from '../app/index.ts';
import type { CommandRecord } from '../command/index.ts';
import type { LatchRecord } from './record.ts';

/** What the program tells its sentinel, a line of JSON each, through the pipe that is the sentinel's stdin. */
export type ToSentinel =
  | {
      readonly type: 'arm';
      readonly access: ApplicationAccess;
      /** Where the record is, and the intention that it holds now. */
      readonly file: string;
      readonly record: LatchRecord;
      readonly maxHoldMs: number;
      /** How long to go on with a lock whose outcome is unknown. */
      readonly lockPatienceMs: number;
      /** How long to go on unlocking. */
      readonly unlockPatienceMs: number;
    }
  | { readonly type: 'lock' }
  /** Nothing is locked any more: remove the record and end. */
  | { readonly type: 'released' };

/** What the sentinel answers, through its stdout. */
export type FromSentinel =
  | { readonly type: 'armed' }
  | { readonly type: 'locked'; readonly token: string; readonly commands: readonly CommandRecord[] }
  | {
      readonly type: 'not-locked';
      readonly outcome: 'refused' | 'unknown';
      readonly occupied: boolean;
      readonly error: WireError;
    }
  /** The token is on the disk. */
  | { readonly type: 'persisted' }
  | { readonly type: 'not-persisted'; readonly message: string }
  /** maxHold passed, and the sentinel unlocked. */
  | { readonly type: 'overrun' };

export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly remedy: string | undefined;
}

export function encodeMessage(message: ToSentinel | FromSentinel): string {
  return `${JSON.stringify(message)}\n`;
}

/** Ends when the other side closes the pipe or dies; a line that was cut off by that is dropped. */
export async function* readMessages<Message>(input: Readable): AsyncGenerator<Message> {
  let rest = '';
  input.setEncoding('utf8');
  try {
    for await (const piece of input) {
      const lines = (rest + String(piece)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line) as Message;
    }
  } catch {
    // A reset pipe is a closed pipe, and so is one that does not speak these messages.
  }
}
