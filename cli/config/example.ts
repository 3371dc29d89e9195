import { stringify } from 'yaml';
import { wrapped } from '../render/wrap.ts';
import { schemaFile } from './json-schema.ts';
import { type ConfigKey, configKeys } from './keys.ts';
import { configSchema } from './schema.ts';

/** What the example sets; every other key stands there as a comment. */
const set = new Set([
  'instance',
  'store',
  'passphraseFile',
  'home',
  'home.path',
  'database',
  'database.type',
  'database.url',
  'database.passwordFile',
  'app',
  'app.type',
  'app.url',
  'app.user',
  'app.passwordFile',
]);

const widthMax = 100;

const head = `# yaml-language-server: $schema=${schemaFile}
#
# The configuration of Stillpoint: every key, what it means and what it is by default. A key behind a # with no space
# after it is not set. Relative paths are from this file. \${VAR} stands for a variable of the environment, \${VAR:-text}
# has a default, and $\${ stands for \${ itself.
# For editors: \`stillpoint config --schema >${schemaFile}\` makes the file that the first line names.
`;

/** A configuration with every key, as YAML with comments; valid once its paths are real. */
export function exampleConfig(): string {
  return [head, ...configKeys(configSchema).map(key => section(key, ''))].join('\n');
}

function section(key: ConfigKey, parent: string): string {
  const path = parent === '' ? key.name : `${parent}.${key.name}`;
  const indent = parent === '' ? '' : '  '.repeat(parent.split('.').length);
  const mark = set.has(path) ? '' : '#';
  const comment = wrapped(commentOf(key), widthMax - indent.length - 2).map(line => `${indent}# ${line}\n`);
  const isMapping = key.keys.length > 0 && key.example === undefined;
  const value = isMapping ? '' : ` ${flow(key.example ?? key.fallback ?? null)}`;
  const own = `${comment.join('')}${indent}${mark}${key.name}:${value}\n`;
  return isMapping ? own + key.keys.map(child => section(child, path)).join('\n') : own;
}

function commentOf({ description, fallback, keys }: ConfigKey): string {
  const isSaid = fallback === undefined || (keys.length > 0 && !Array.isArray(fallback));
  return isSaid ? description : `${description} Default: ${flow(fallback)}.`;
}

/** On one line. */
export function flow(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: false }).trim();
}
