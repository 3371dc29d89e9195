import { exitCodeMeanings, exitCodes } from '../exit-codes.ts';
import { wrapped } from '../render/wrap.ts';
import { type CommandDescription, exitCodesOf } from './describe.ts';
import { environment } from './environment.ts';

/** What the help of the program ends with. */
export function programHelp(): string {
  return [
    inColumns(
      'Environment:',
      environment.map(({ name, text }) => [name, text]),
    ),
    exitCodeHelp(Object.values(exitCodes).sort((a, b) => a - b)),
    'See `stillpoint help COMMAND` for examples of each.',
  ].join('\n\n');
}

/** What the help of a command ends with: what it can end with, and examples. */
export function commandHelp(command: CommandDescription): string {
  const examples = command.examples.map(({ line, text }) => `  ${line}\n      ${text}`);
  return [exitCodeHelp(exitCodesOf(command)), ['Examples:', ...examples].join('\n')].join('\n\n');
}

function exitCodeHelp(codes: readonly number[]): string {
  const meanings: Readonly<Record<number, string>> = exitCodeMeanings;
  return inColumns(
    'Exit codes:',
    codes.map(code => [String(code), meanings[code] ?? '']),
  );
}

const widthMax = 80;

/** Two columns, the second one wrapped. */
function inColumns(head: string, rows: readonly (readonly [string, string])[]): string {
  const indent = Math.max(...rows.map(([name]) => name.length)) + 4;
  const lines = rows.map(
    ([name, text]) =>
      `  ${name}`.padEnd(indent) + wrapped(text, widthMax - indent).join(`\n${' '.repeat(indent)}`),
  );
  return [head, ...lines].join('\n');
}
