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
  return stringify(literal(readable), { lineWidth: 0 }).trimEnd();
}

/** Variables were replaced when it was read: what still looks like one is meant as it stands. */
function literal(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('${', () => '$${');
  if (Array.isArray(value)) return value.map(literal);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, literal(one)]));
}
