import { homedir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { readDocument } from './document.ts';
import { mistakesOf } from './issues.ts';
import { mistakesError } from './mistakes.ts';
import { type ConfigFile, configSchema } from './schema.ts';
import { mapKind } from './shape.ts';
import { readText } from './text.ts';

/** A configuration that was found, read and checked. */
export interface LoadedConfig {
  readonly file: string;
  readonly values: ConfigFile;
}

export interface FindConfigOptions {
  readonly file?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
}

/** Reads the first of --config, $STILLPOINT_CONFIG, ./stillpoint.yaml, ~/.config/stillpoint/config.yaml. */
export function findConfig(options: FindConfigOptions): LoadedConfig | undefined {
  const named = options.file ?? options.env['STILLPOINT_CONFIG'];
  if (named) return loadConfig(resolve(options.cwd, named), options.env);
  const home = options.env['HOME'] || homedir();
  for (const file of [
    resolve(options.cwd, 'stillpoint.yaml'),
    resolve(home, '.config/stillpoint/config.yaml'),
  ]) {
    try {
      return loadConfig(file, options.env);
    } catch (error) {
      const { code } = (error as { cause?: NodeJS.ErrnoException }).cause ?? {};
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    }
  }
  return undefined;
}

function loadConfig(file: string, env: NodeJS.ProcessEnv): LoadedConfig {
  return { file, values: parseConfig(readText(file), { file, env }) };
}

/** Checks the text of a configuration; relative paths are resolved from the file's folder. CONFIG_INVALID. */
export function parseConfig(text: string, options: { file: string; env: NodeJS.ProcessEnv }): ConfigFile {
  const { file, env } = options;
  const schema = configSchema;
  const document = readDocument(text, { schema, env });
  const { lineOf, mistakes } = document;
  if (document.isUnreadable) throw mistakesError(file, { mistakes, lineOf });
  const parsed = schema.safeParse(document.values ?? {});
  const told = new Set(mistakes.map(({ key }) => key));
  const further = mistakesOf(parsed.error?.issues ?? [], { schema, document });
  const all = [...mistakes, ...further.filter(({ key }) => !told.has(key))];
  if (!parsed.success || all.length > 0) throw mistakesError(file, { mistakes: all, lineOf });
  return resolvePaths(parsed.data, dirname(file));
}

function resolvePaths(config: ConfigFile, folder: string): ConfigFile {
  const absolute = mapKind(config, { schema: configSchema, kind: 'path', to: path => resolve(folder, path) });
  return mapKind(absolute, {
    schema: configSchema,
    kind: 'place',
    to: place => (place.includes('://') ? place : resolve(folder, place)),
  });
}
