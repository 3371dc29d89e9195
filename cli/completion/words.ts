import { commands } from '../program/commands/index.ts';
import { type CommandDescription, commonOptions, type OptionDescription } from '../program/describe.ts';

/** A command, as a completion knows it. */
export interface CompletedCommand {
  /** The name, and the alias where there is one. */
  readonly names: readonly string[];
  readonly text: string;
  readonly options: readonly CompletedOption[];
  /** What may stand beside the options. */
  readonly argument: Completed;
}

export interface CompletedOption {
  /** As in `-q` and `--quiet`. */
  readonly names: readonly string[];
  readonly text: string;
  /** undefined: it takes no value, or may stand without one. */
  readonly value: Completed | undefined;
}

/** What a word may be: of these, a file, a folder, or what nobody can know. */
export type Completed = readonly string[] | 'file' | 'folder' | 'unknown';

/** Every command with its options: what the scripts for the shells are made of. */
export function completedCommands(): CompletedCommand[] {
  const all = commands.map(completed);
  const help: CompletedCommand = {
    names: ['help'],
    text: 'show the help of a command',
    options: [],
    argument: commands.map(({ name }) => name),
  };
  return [...all, help];
}

/** What stands before a command. */
export function completedOptions(): CompletedOption[] {
  return [
    ...commonOptions.map(option),
    helpOption,
    { names: ['-V', '--version'], text: 'show the version', value: undefined },
  ];
}

const helpOption: CompletedOption = { names: ['-h', '--help'], text: 'show help', value: undefined };

function completed({ name, alias, summary, options = [], ...command }: CommandDescription): CompletedCommand {
  const own = options.map(option);
  const common = commonOptions
    .map(option)
    .filter(one => !own.some(mine => mine.names.includes(one.names.at(-1) ?? '')));
  return {
    names: alias ? [name, alias] : [name],
    text: summary,
    options: [...own, ...common, helpOption],
    argument: argumentOf(command.arguments ?? []),
  };
}

/** Ids of snapshots are in the store, behind a passphrase: only `latest` is known without it. */
function argumentOf(positionals: NonNullable<CommandDescription['arguments']>): Completed {
  const words = positionals.flatMap(
    ({ name, choices }) => choices ?? (snapshots.has(name) ? ['latest'] : []),
  );
  return words.length > 0 ? [...new Set(words)] : 'unknown';
}

const snapshots: ReadonlySet<string> = new Set(['snapshot', 'snapshots', 'before', 'after']);

function option({ flags, text, choices }: OptionDescription): CompletedOption {
  const [, placeholder] = /<([^>]+)>/.exec(flags) ?? [];
  const names = flags.match(/(?<![\w<-])--?[a-z-]+/gi) ?? [];
  return { names, text, value: choices ?? (placeholder === undefined ? undefined : kindOf(placeholder)) };
}

function kindOf(placeholder: string): Completed {
  if (placeholder === 'file') return 'file';
  return placeholder === 'folder' || placeholder === 'place' ? 'folder' : 'unknown';
}
