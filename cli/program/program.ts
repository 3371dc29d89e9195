import { Argument, Command as Commander, InvalidArgumentError, Option } from 'commander';
import type { Context } from '../context.ts';
import { commandNamed, commands } from './commands/index.ts';
import {
  type ArgumentDescription,
  type CommandDescription,
  commonOptions,
  type OptionDescription,
} from './describe.ts';
import { commandHelp, programHelp } from './help.ts';

export interface GlobalOptions {
  /** True where the option stands without a value. */
  readonly config?: string | true;
  readonly store?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

export interface ProgramOptions {
  readonly contextFor: (global: GlobalOptions) => Promise<Context>;
  readonly version: string;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

/** The command line, ready to parse: gives the exit code. */
export function buildProgram(options: ProgramOptions): (argv: readonly string[]) => Promise<number> {
  let exitCode = 0;
  const program = defineProgram(options, async (description, { wishes, own }) => {
    const context = await options.contextFor(wishes);
    const run = await description.load();
    exitCode = (await run(context, own as never)) ?? 0;
  });
  return async argv => {
    await program.parseAsync(asked(argv), { from: 'user' });
    return exitCode;
  };
}

/** The help of a command that there is not: as if it had been called, which names the nearest. */
function asked(argv: readonly string[]): string[] {
  const [first, second] = argv;
  const isUnknown =
    second !== undefined && !second.startsWith('-') && second !== 'help' && !commandNamed(second);
  return first === 'help' && isUnknown ? argv.slice(1) : [...argv];
}

/** Every command with its options, long and short. */
export function describeProgram(): ReadonlyMap<string, ReadonlySet<string>> {
  const nowhere = { write: () => true } as unknown as NodeJS.WritableStream;
  const program = defineProgram({ version: '', stdout: nowhere, stderr: nowhere }, async () => {});
  const names = (command: Commander) =>
    command.options.flatMap(({ long, short }) => [long, short].filter(name => typeof name === 'string'));
  return new Map(program.commands.map(command => [command.name(), new Set(names(command))]));
}

/** Called with what the command line asks of a command. */
type Action = (
  description: CommandDescription,
  asked: { readonly wishes: GlobalOptions; readonly own: object },
) => Promise<void>;

/** What there is, its options and help. The code of a command is loaded when it runs. */
function defineProgram(options: Omit<ProgramOptions, 'contextFor'>, onCommand: Action): Commander {
  const program = new Commander('stillpoint')
    .description('Backups of a home directory and a database that agree, with a latch that nobody notices.')
    .version(options.version)
    .exitOverride()
    .enablePositionalOptions() // what stands after a command is the command's: `show ID --config` takes no file
    .configureOutput({
      writeOut: text => options.stdout.write(text),
      writeErr: text => options.stderr.write(text),
      outputError: () => undefined, // it is thrown, too, and reported as every other error
    })
    .showSuggestionAfterError()
    .addHelpText('after', () => `\n${programHelp()}`);
  for (const description of commands) defineCommand(program, description, onCommand);
  for (const option of commonOptions) program.addOption(optionOf(option));
  return program;
}

function defineCommand(program: Commander, description: CommandDescription, onCommand: Action): void {
  const command = program
    .command(description.name)
    .summary(description.summary)
    .description([sentence(description.summary), ...(description.text ?? [])].join('\n\n'))
    .exitOverride()
    .addHelpText('after', () => `\n${commandHelp(description)}`);
  if (description.alias) command.alias(description.alias);
  const positionals = description.arguments ?? [];
  for (const positional of positionals) command.addArgument(argumentOf(positional));
  const own = description.options ?? [];
  const common = commonOptions.filter(option => !own.some(mine => longName(mine) === longName(option)));
  const repeatable: [string, readonly string[]][] = own
    .filter(option => option.isRepeatable)
    .map(option => [optionOf(option).attributeName(), []]);
  for (const option of [...own, ...common]) command.addOption(optionOf(option));
  command.action((...args: unknown[]) => {
    const wishes = command.optsWithGlobals<GlobalOptions>();
    const named = Object.fromEntries(positionals.map(({ name }, index) => [name, args[index]]));
    // `--config FILE show ID --config`: the second one is for the command
    const none = Object.fromEntries(repeatable);
    return onCommand(description, { wishes, own: { ...none, ...wishes, ...command.opts(), ...named } });
  });
}

function argumentOf({ name, text, isOptional, isRepeatable, choices }: ArgumentDescription): Argument {
  const usage = `${name}${isRepeatable ? '...' : ''}`;
  const argument = new Argument(isOptional ? `[${usage}]` : `<${usage}>`, text);
  return choices ? argument.choices([...choices]) : argument;
}

function optionOf({ flags, text, choices, fallback, isRepeatable }: OptionDescription): Option {
  const option = new Option(flags, text);
  if (choices) option.choices([...choices]);
  if (fallback !== undefined) option.default(fallback);
  if (!choices && /<[a-z=:]+>/.test(flags)) {
    option.argParser<string | readonly string[]>((value, previous = []) => {
      // `--tag --json` is a forgotten tag, not one of that name
      if (value.startsWith('--')) throw new InvalidArgumentError(`The value is missing before ${value}.`);
      return isRepeatable ? [...previous, value] : value;
    });
  }
  return option;
}

function longName({ flags }: OptionDescription): string | undefined {
  return /--[a-z-]+/.exec(flags)?.[0];
}

function sentence(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
}
