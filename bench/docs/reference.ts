import { type ConfigKey, commandKeys, configKeys } from '../../cli/config/keys.ts';
import { configSchema } from '../../cli/config/schema.ts';
import { alternatives, below } from '../../cli/config/shape.ts';
import { exitCodeMeanings } from '../../cli/exit-codes.ts';
import { commands } from '../../cli/program/commands/index.ts';
import {
  type CommandDescription,
  commonOptions,
  exitCodesOf,
  type OptionDescription,
} from '../../cli/program/describe.ts';
import { environment } from '../../cli/program/environment.ts';

const head = `# Reference

Every command, option, exit code, variable and key. \`npm run docs\` makes this page of what \`--help\` says, a test compares
them. The README tells how they are used together.`;

/** docs/reference.md: the descriptions of commands and configuration as one page. */
export function reference(): string {
  return `${[
    head,
    '## Commands',
    'Every command takes these, too:',
    optionTable(commonOptions),
    ...commands.map(command),
    '## Exit codes',
    table(
      ['Code', 'Means'],
      Object.entries(exitCodeMeanings).map(([code, meaning]) => [code, meaning]),
    ),
    '## Environment',
    table(
      ['Variable', 'Holds'],
      environment.map(({ name, text }) => [`\`${name}\``, text]),
    ),
    '## Configuration',
    '`stillpoint config` prints an example, `docs/stillpoint.example.yaml`; `docs/configuration.schema.json` is for editors.',
    table(
      ['Key', 'Means', 'Default'],
      configKeys(configSchema).flatMap(key => keyRows(key, '')),
    ),
    'A command is a text, or has keys of its own:',
    table(
      ['Key', 'Means'],
      (commandKeys(hook) ?? []).map(({ name, description }) => [`\`${name}\``, description]),
    ),
  ].join('\n\n')}\n`;
}

/** Every command of the administrator has the same keys. */
const hook = below(below(alternatives(configSchema), 'hooks'), 'restore');

function command(description: CommandDescription): string {
  const { name, alias, summary, text = [], options = [], examples } = description;
  return [
    `### \`${['stillpoint', name, ...(description.arguments ?? []).map(usage)].join(' ')}\``,
    `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.${alias ? ` \`${alias}\` is the same.` : ''}`,
    ...text,
    ...(description.arguments ?? []).map(
      ({ name: argument, text: meaning, choices }) =>
        `\`${argument}\`: ${meaning}${choices ? `: ${choices.join(', ')}` : ''}.`,
    ),
    ...(options.length > 0 ? [optionTable(options)] : []),
    `Exit codes: ${exitCodesOf(description).join(', ')}.`,
    ['```sh', ...examples.flatMap(({ line, text: meaning }) => [`# ${meaning}`, line]), '```'].join('\n'),
  ].join('\n\n');
}

function usage({
  name,
  isOptional,
  isRepeatable,
}: NonNullable<CommandDescription['arguments']>[number]): string {
  const word = `${name.toUpperCase()}${isRepeatable ? '…' : ''}`;
  return isOptional ? `[${word}]` : word;
}

function optionTable(options: readonly OptionDescription[]): string {
  return table(
    ['Option', 'Does'],
    options.map(({ flags, text, choices, fallback }) => [
      `\`${flags}\``,
      [
        text,
        ...(choices ? [`: ${choices.join(' or ')}`] : []),
        ...(fallback ? [` (default: ${fallback})`] : []),
      ].join(''),
    ]),
  );
}

function keyRows(key: ConfigKey, parent: string): string[][] {
  const path = `${parent}${key.name}`;
  const isMapping = key.keys.length > 0 && !Array.isArray(key.fallback);
  const fallback =
    key.fallback === undefined || isMapping ? '' : `\`${JSON.stringify(key.fallback).replaceAll('"', '')}\``;
  return [
    [`\`${path}\``, key.description, fallback],
    ...key.keys.flatMap(child => keyRows(child, `${path}.`)),
  ];
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(titles), `|${titles.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}
