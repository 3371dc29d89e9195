import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Rig } from '../../bench/rig/index.ts';

export interface Changes {
  /** More keys of `home`, as they stand in a configuration. */
  readonly home?: Readonly<Record<string, unknown>>;
  /** More keys of the whole. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** Writes the rig's configuration with changes under another name; the environment that makes the program use it. */
export function configured(rig: Rig, name: string, { home, more = {} }: Changes): Record<string, string> {
  const file = join(rig.folder, `${name}.yaml`);
  const text = readFileSync(rig.configFile, 'utf8')
    .split('\n')
    .filter(line => !Object.keys(more).some(key => line.startsWith(`${key}:`)))
    .map(line =>
      home && line.startsWith('home:')
        ? `home: ${JSON.stringify({ path: rig.instance.home, ...home })}`
        : line,
    );
  const added = Object.entries(more).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
  writeFileSync(file, [...text, ...added].join('\n'));
  return { ...rig.env, STILLPOINT_CONFIG: file };
}
