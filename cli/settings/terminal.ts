import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { engineError } from '../../engine/index.ts';

/** Somebody who can be asked. */
export interface Terminal {
  /** What was typed, without echo. Undefined where there is no terminal after all. INTERRUPTED; ends with `signal`. */
  askSecret(question: string, options: { readonly signal: AbortSignal }): Promise<string | undefined>;
}

/** The terminal that this process was started from, whatever its standard streams lead to. */
export function openTerminal(device = '/dev/tty'): Terminal {
  return {
    async askSecret(question, { signal }) {
      signal.throwIfAborted();
      const output = openDevice(device);
      if (output === undefined) return undefined;
      try {
        return await readSecret({ input: openSync(device, openFlags), output, question, signal });
      } finally {
        closeSync(output);
      }
    },
  };
}

const openFlags = constants.O_RDWR | constants.O_NOCTTY;

function openDevice(device: string): number | undefined {
  try {
    return openSync(device, openFlags);
  } catch {
    return undefined; // no terminal belongs to this process
  }
}

async function readSecret(parts: {
  readonly input: number;
  readonly output: number;
  readonly question: string;
  readonly signal: AbortSignal;
}): Promise<string> {
  const { output, signal } = parts;
  const input = new ReadStream(parts.input);
  const line = secretLine();
  try {
    // Raw: nothing is echoed, and Ctrl-C is a byte, so that the terminal is put right before anything ends.
    input.setRawMode(true);
    writeSync(output, parts.question);
    return await new Promise<string>((resolve, reject) => {
      const onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      input.on('data', (bytes: Buffer) => {
        try {
          const typed = line(bytes);
          if (typed !== undefined) resolve(typed);
        } catch (error) {
          reject(error);
        }
      });
      input.on('error', reject);
      input.on('end', () => reject(interrupted()));
    });
  } finally {
    if (!input.destroyed) input.setRawMode(false);
    input.destroy();
    writeSync(output, '\n');
  }
}

/** Takes what comes from a terminal in raw mode; gives the line once it has ended. INTERRUPTED by Ctrl-C or Ctrl-D. */
export function secretLine(): (bytes: Uint8Array) => string | undefined {
  const typed: number[] = [];
  return bytes => {
    for (const byte of bytes) {
      if (byte === 0x0d || byte === 0x0a) return Buffer.from(typed).toString('utf8');
      if (byte === 0x03 || (byte === 0x04 && typed.length === 0)) throw interrupted();
      if (byte === 0x15) typed.length = 0;
      else if (byte === 0x7f || byte === 0x08) removeLast(typed);
      else if (byte >= 0x20) typed.push(byte);
    }
    return undefined;
  };
}

/** The last character, which may have several bytes. */
function removeLast(typed: number[]): void {
  while (typed.length > 0 && (typed.at(-1)! & 0xc0) === 0x80) typed.pop();
  typed.pop();
}

function interrupted(): Error {
  return engineError('INTERRUPTED', 'Interrupted before the passphrase was given', {
    remedy: 'Nothing was done; the same command begins again.',
  });
}
