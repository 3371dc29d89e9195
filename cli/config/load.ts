import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { isNode, LineCounter, parseDocument, visit } from 'yaml';
import type { z } from 'zod';
import { engineError, nearest } from '../../engine/index.ts';
import { interpolate, UnsetVariable } from './interpolate.ts';
import { type ConfigFile, configSchema } from './schema.ts';

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
      if ((error as { cause?: NodeJS.ErrnoException }).cause?.code !== 'ENOENT') throw error;
    }
  }
  return undefined;
}

function loadConfig(file: string, env: NodeJS.ProcessEnv): LoadedConfig {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw engineError('CONFIG_INVALID', `Cannot read configuration ${file}: ${(cause as Error).message}`, {
      remedy: 'Name an existing file with --config or STILLPOINT_CONFIG.',
      cause,
    });
  }
  return { file, values: parseConfig(text, { file, env }) };
}

/** Checks the text of a configuration; relative paths are resolved from the file's folder. CONFIG_INVALID. */
export function parseConfig(text: string, options: { file: string; env: NodeJS.ProcessEnv }): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const fail = (offset: number, problem: string, remedy: string): never => {
    const where = `${options.file}:${lines.linePos(offset).line}`;
    throw engineError('CONFIG_INVALID', `Cannot use configuration ${where}: ${problem}`, { remedy });
  };
  const broken = document.errors[0];
  if (broken) fail(broken.pos[0], broken.message.split('\n')[0] ?? 'not YAML', 'Mend the YAML at that line.');
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value !== 'string') return;
      try {
        node.value = interpolate(node.value, options.env);
      } catch (error) {
        if (!(error instanceof UnsetVariable)) throw error;
        fail(
          node.range?.[0] ?? 0,
          error.message,
          `Set ${error.variable}, or write a default: \${${error.variable}:-value}.`,
        );
      }
    },
  });
  const parsed = configSchema.safeParse(document.toJS() ?? {});
  if (!parsed.success) {
    const issue = parsed.error.issues[0] as z.core.$ZodIssue;
    const path =
      issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] as string] : [...issue.path];
    fail(offsetOf(document, path), ...explain(issue, path));
  }
  return resolvePaths(parsed.data as ConfigFile, dirname(options.file));
}

/** Where in the text the value at a path begins; for a key that is there, the key itself. */
function offsetOf(document: ReturnType<typeof parseDocument>, path: readonly PropertyKey[]): number {
  for (let depth = path.length; depth > 0; depth--) {
    const parent = document.getIn(path.slice(0, depth - 1), true) ?? document.contents;
    const items = (parent as { items?: { key?: { value?: unknown; range?: [number, number, number] } }[] })
      .items;
    const pair = items?.find(item => item.key?.value === path[depth - 1]);
    if (pair?.key?.range) return pair.key.range[0];
    const node = document.getIn(path.slice(0, depth), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}

function explain(issue: z.core.$ZodIssue, path: readonly PropertyKey[]): [string, string] {
  const name = path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(issue.path);
    const near = nearest(issue.keys[0] as string, known);
    return [
      `unknown key "${name}"`,
      near ? `Did you mean "${near}"?` : `Known keys here: ${known.join(', ')}.`,
    ];
  }
  return [`${name || 'the file'}: ${issue.message}`, 'Mend that value.'];
}

function knownKeys(path: readonly PropertyKey[]): string[] {
  let schema: unknown = configSchema;
  for (const name of path) schema = shapeOf(schema)?.[String(name)];
  return Object.keys(shapeOf(schema) ?? {});
}

function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  let inner = schema as { shape?: Record<string, unknown>; def?: { innerType?: unknown } } | undefined;
  while (inner && !inner.shape && inner.def?.innerType) inner = inner.def.innerType as typeof inner;
  return inner?.shape;
}

function resolvePaths(config: ConfigFile, folder: string): ConfigFile {
  const path = (value: string | undefined) => (value === undefined ? undefined : resolve(folder, value));
  return {
    ...config,
    store: config.store?.includes('://') ? config.store : path(config.store),
    passphraseFile: path(config.passphraseFile),
    home: config.home && {
      ...config.home,
      path: resolve(folder, config.home.path),
      dataStores: config.home.dataStores.map(store => resolve(folder, store)),
    },
    database: config.database && { ...config.database, passwordFile: path(config.database.passwordFile) },
    app: config.app && { ...config.app, passwordFile: path(config.app.passwordFile) },
  };
}
