import type { Command } from '../context.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';

/**
 * A command as data: help, completion and docs/reference.md are made of it, and the parser, too. It imports none of the
 * command's code, which is loaded when it runs.
 */
export interface CommandDescription {
  readonly name: string;
  readonly alias?: string;
  /** Handed to the command under these names. */
  readonly arguments?: readonly ArgumentDescription[];
  /** One line, an imperative without a full stop. */
  readonly summary: string;
  /** More, for whoever reads the help of this command: paragraphs. */
  readonly text?: readonly string[];
  /** Beside those that every command takes. */
  readonly options?: readonly OptionDescription[];
  /** What it can end with beside `always`. */
  readonly exitCodes?: readonly ExitCode[];
  readonly examples: readonly Example[];
  readonly load: () => Promise<Command<never>>;
}

export interface ArgumentDescription {
  readonly name: ArgumentName;
  readonly text: string;
  readonly isOptional?: true;
  readonly isRepeatable?: true;
  readonly choices?: readonly string[];
}

/** What kind of thing an argument is; completion goes by it. */
type ArgumentName = 'snapshot' | 'before' | 'after' | 'snapshots' | 'path' | 'shell' | 'action' | 'slot';

export interface OptionDescription {
  /** As in `-r, --recursive` or `--tag <tag>`. What stands for a file is `<file>`, for a folder `<folder>` or `<place>`. */
  readonly flags: string;
  readonly text: string;
  readonly choices?: readonly string[];
  readonly fallback?: string;
  readonly isRepeatable?: true;
}

/** A line for a shell, and what it does. */
export interface Example {
  readonly line: string;
  readonly text: string;
}

/** All that a command can end with, in order. */
export function exitCodesOf({ exitCodes: own = [] }: CommandDescription): number[] {
  const all = new Set([...always, ...own].map(name => exitCodes[name]));
  return [...all].sort((a, b) => a - b);
}

/** What every command can end with. */
export const always: readonly ExitCode[] = ['done', 'failed', 'usage', 'interrupted', 'terminated'];

/** What every command that opens a store can end with, too. */
export const ofStores: readonly ExitCode[] = ['noStore', 'wrongKey', 'damaged'];

/** What every command takes. */
export const commonOptions: readonly OptionDescription[] = [
  { flags: '--config <file>', text: 'configuration file' },
  { flags: '--store <place>', text: 'the store; overrides the configuration' },
  { flags: '--json', text: 'one JSON document, or JSON lines, on stdout' },
  { flags: '-q, --quiet', text: 'results and errors only' },
  { flags: '-v, --verbose', text: 'say more' },
];

/** What narrows `latest`. */
export const narrowing: readonly OptionDescription[] = [
  { flags: '--instance <name>', text: 'which instance `latest` means' },
  { flags: '--tag <tag>', text: 'which tag `latest` must carry' },
];

export const theSnapshot: ArgumentDescription = {
  name: 'snapshot',
  text: '`latest`, a full id, or the beginning of one: 4 characters or more',
};

/** What a path may be, for every command that takes one. */
export const pathText: readonly string[] = [
  'A path is relative to the home, or absolute below the home or one of its data stores, as they lay when the snapshot was made; `/` is all that the snapshot holds.',
  'What is in the database begins with `database:`, as in `database:tables/public/comment` (rows as COPY writes them, of MariaDB as the tuples of an INSERT), `database:sequences` and `database:definitions/pre-data`; a file of such a name is `./database:…`.',
  'Bytes that cannot be shown are written `\\xHH`, a backslash as two, and may be given so.',
];
