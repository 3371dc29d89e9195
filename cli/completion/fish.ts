import { type Completed, type CompletedOption, completedCommands, completedOptions } from './words.ts';

/** A script for fish. */
export function fishCompletion(): string {
  const commands = completedCommands();
  const names = commands.flatMap(command => command.names);
  const before = `-n ${quoted(`not __fish_seen_subcommand_from ${names.join(' ')}`)}`;
  return [
    '# Completion of stillpoint for fish. Load it with: stillpoint completion fish | source',
    'complete -c stillpoint -f',
    ...completedOptions().map(option => line(before, option)),
    ...commands.flatMap(({ names: own, text, options, argument }) => {
      const within = `-n ${quoted(`__fish_seen_subcommand_from ${own.join(' ')}`)}`;
      return [
        ...own.map(name => `complete -c stillpoint ${before} -a ${name} -d ${quoted(text)}`),
        ...options.map(option => line(within, option)),
        ...(Array.isArray(argument)
          ? [`complete -c stillpoint ${within} -a ${quoted(argument.join(' '))}`]
          : []),
      ];
    }),
    '',
  ].join('\n');
}

function line(condition: string, { names, text, value }: CompletedOption): string {
  const flags = names.map(name => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  return `complete -c stillpoint ${condition} ${flags.join(' ')}${value ? taken(value) : ''} -d ${quoted(text)}`;
}

function taken(value: Completed): string {
  if (value === 'file') return ' -r -F';
  if (value === 'folder') return " -x -a '(__fish_complete_directories)'";
  return value === 'unknown' ? ' -x' : ` -x -a ${quoted(value.join(' '))}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
