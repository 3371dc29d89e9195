import { stringify } from 'yaml';
import { configSchema } from '../config/schema.ts';
import { mapKind } from '../config/shape.ts';
import { formatDuration } from '../config/units.ts';

/** A configuration as a file that the program would take: YAML, durations as people write them. */
export function configurationText(configuration: Readonly<Record<string, unknown>>): string {
  const readable = mapKind(configuration, {
    schema: configSchema,
    kind: 'duration',
    to: ms => formatDuration(Number(ms)),
  });
  return stringify(readable, { lineWidth: 0 }).trimEnd();
}
