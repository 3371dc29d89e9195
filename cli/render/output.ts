import { engineError } from '../../engine/index.ts';
import type { StillpointError } from '../../store/index.ts';

/** Where a command speaks: data on stdout, messages on stderr, or JSON lines. */
export interface Output {
  readonly json: boolean;
  /** More than the essentials was asked for. */
  readonly verbose: boolean;
  /** The command's result: text for a person, or one JSON document. */
  result(document: Readonly<Record<string, unknown>>, text: string): void;
  /** Data as it comes, in pieces that the caller may use again once this resolves. False: nobody reads any more. */
  data(bytes: Uint8Array | string): Promise<boolean>;
  /** A step of long work; shown in JSON only. */
  status(document: Readonly<Record<string, unknown>>): void;
  /** Something that a person should read and that is no failure. */
  warning(text: string): void;
  /** What a person at a terminal wants to see; silent elsewhere, so that cron stays quiet. */
  notice(text: string): void;
  /** What must be seen wherever the program runs. */
  important(document: Readonly<Record<string, unknown>>, text: string): void;
  error(error: StillpointError): void;
}

export interface OutputOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** Called before a line is written to stderr, so that a progress line can step aside. */
  readonly beforeMessage: () => void;
}

export function createOutput(options: OutputOptions): Output {
  const { stdout, stderr, json } = options;
  const line = (document: Readonly<Record<string, unknown>>) => `${toJsonText(document)}\n`;
  const message = (text: string) => {
    options.beforeMessage();
    stderr.write(`${safe(text)}\n`);
  };
  return {
    json,
    verbose: options.verbose,
    result(document, text) {
      options.beforeMessage();
      if (json) stdout.write(line(document));
      else if (text !== '') stdout.write(safe(text.endsWith('\n') ? text : `${text}\n`));
    },
    data(bytes) {
      options.beforeMessage();
      return new Promise((resolve, reject) => {
        stdout.write(bytes, error => {
          if (!error) resolve(true);
          else if (readerLeft.has((error as NodeJS.ErrnoException).code ?? '')) resolve(false);
          else reject(unwritten(error));
        });
      });
    },
    status(document) {
      if (json) stdout.write(line({ messageType: 'status', ...document }));
    },
    warning(text) {
      if (json) stdout.write(line({ messageType: 'warning', message: text }));
      else message(`warning: ${oneLine(text)}`);
    },
    notice(text) {
      if (!json && !options.quiet && (stderr.isTTY || options.verbose)) message(text);
    },
    important(document, text) {
      if (json) stdout.write(line({ messageType: 'status', ...document }));
      else if (!options.quiet && (stderr.isTTY || options.verbose)) message(text);
    },
    error(error) {
      if (json) {
        const { code, message: text, remedy, context } = error;
        const { mistakes } = context; // of a configuration: each with its file, line and key
        stderr.write(line({ messageType: 'error', code, message: text, remedy: remedy ?? null, mistakes }));
      } else {
        message(`stillpoint: ${oneLine(error.message)}`);
        if (error.remedy) message(`  ${error.remedy}`);
      }
    },
  };
}

const unwritten = (cause: Error): Error =>
  engineError('TARGET_FAILED', `Cannot write the output: ${cause.message}`, {
    remedy: 'Look at the medium that it goes to, and run the command again.',
    cause,
  });

/** What may not reach a terminal: names and tags may hold anything. Lines and tabs stay. */
const safe = (text: string): string =>
  text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** What is quoted in a message must not look like a message of its own. */
export const oneLine = (text: string): string => text.replace(/\s*[\r\n]+\s*/g, ' ');

const readerLeft = new Set(['EPIPE', 'ERR_STREAM_DESTROYED']);

/** JSON that a terminal may show: control characters and marks of direction are escaped, too. */
export function toJsonText(value: unknown): string {
  return JSON.stringify(value, jsonValue).replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function jsonValue(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}
