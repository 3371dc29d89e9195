import { type Completed, type CompletedOption, completedCommands, completedOptions } from './words.ts';

/** A script for zsh: as a file _stillpoint in a folder of $fpath, or sourced after compinit. */
export function zshCompletion(): string {
  const commands = completedCommands();
  const listed = commands.flatMap(({ names, text }) => names.map(name => `    ${quoted(`${name}:${text}`)}`));
  const cases = commands.map(({ names, options, argument }) =>
    [
      `    ${names.join('|')})`,
      `      _arguments -s -S : \\`,
      ...[...options.flatMap(specs), quoted(`*: :${action(argument)}`)].map(
        (spec, index, all) => `        ${spec}${index < all.length - 1 ? ' \\' : ''}`,
      ),
      `      ;;`,
    ].join('\n'),
  );
  const global = [...completedOptions().flatMap(specs), "'1: :->command'", "'*:: :->argument'"];
  return `#compdef stillpoint
# Completion of stillpoint for zsh. Load it with: source <(stillpoint completion zsh)
_stillpoint() {
  local state line
  local -a commands
  commands=(
${listed.join('\n')}
  )
  _arguments -C -s -S : \\
${global.map((spec, index) => `    ${spec}${index < global.length - 1 ? ' \\' : ''}`).join('\n')}
  case $state in
    command) _describe command commands ;;
    argument)
      case $line[1] in
${cases.map(text => text.replace(/^/gm, '    ')).join('\n')}
      esac
      ;;
  esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _stillpoint "$@"; else compdef _stillpoint stillpoint; fi
`;
}

function specs({ names, text, value }: CompletedOption): string[] {
  const taken = value ? `: :${action(value)}` : '';
  return names.map(name => quoted(`*${name}[${text.replace(/[[\]:]/g, '\\$&')}]${taken}`));
}

function action(value: Completed): string {
  if (value === 'file') return '_files';
  if (value === 'folder') return '_files -/';
  return value === 'unknown' ? ' ' : `(${value.join(' ')})`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
