import {
  type Completed,
  type CompletedCommand,
  type CompletedOption,
  completedCommands,
  completedOptions,
} from './words.ts';

/** A script for bash 4 or later, which needs nothing else. */
export function bashCompletion(): string {
  const commands = completedCommands();
  const top: CompletedCommand = {
    names: [''],
    text: '',
    options: completedOptions(),
    argument: commands.flatMap(({ names }) => names),
  };
  const all = [top, ...commands];
  return `# Completion of stillpoint for bash. Load it with: source <(stillpoint completion bash)
_stillpoint() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command= index
  if [[ $current == = ]]; then current=; elif [[ $previous == = ]]; then previous=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    case \${COMP_WORDS[index]} in
      ${patterns(withValue(top), names => names)}) [[ \${COMP_WORDS[index+1]} == = ]] && ((index++)); ((index++)) ;;
      -*) ;;
      *) command=\${COMP_WORDS[index]}; break ;;
    esac
  done
  COMPREPLY=()
  case $command:$previous in
    ${branch(all, 'file')}) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    ${branch(all, 'folder')}) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    ${branch(all, 'unknown')}) return ;;
${choices(all).join('\n')}
  esac
  local options= words=
  case $command in
${all.map(wordsOf).join('\n')}
  esac
  [[ $current == -* || -z $words ]] && words=$options
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _stillpoint stillpoint
`;
}

function wordsOf({ names, options, argument }: CompletedCommand): string {
  const flags = options.flatMap(option => option.names).join(' ');
  const words = typeof argument === 'string' ? '' : argument.join(' ');
  return `    ${names.map(name => name || "''").join('|')}) options="${flags}" words="${words}" ;;`;
}

/** `command:--option` for each that takes a value of this kind. */
function branch(commands: readonly CompletedCommand[], value: Completed): string {
  return commands
    .map(command => {
      const options = command.options.filter(option => option.value === value);
      return patterns(options, option =>
        command.names.flatMap(name => option.map(flag => `${name}:${flag}`)),
      );
    })
    .filter(text => text !== '')
    .join('|');
}

function choices(commands: readonly CompletedCommand[]): string[] {
  return commands.flatMap(command =>
    command.options.flatMap(({ names, value }) => {
      if (value === undefined || typeof value === 'string') return [];
      const where = command.names.flatMap(name => names.map(flag => `${name}:${flag}`)).join('|');
      return [
        `    ${where}) mapfile -t COMPREPLY < <(compgen -W "${value.join(' ')}" -- "$current"); return ;;`,
      ];
    }),
  );
}

function withValue({ options }: CompletedCommand): readonly CompletedOption[] {
  return options.filter(({ value }) => value !== undefined);
}

function patterns(
  options: readonly CompletedOption[],
  of: (names: readonly string[]) => readonly string[],
): string {
  return options.flatMap(({ names }) => of(names)).join('|');
}
