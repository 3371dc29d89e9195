import * as z from 'zod';
import { listed } from './nouns.ts';
import { alternatives, below, kindOf, shapeOf } from './shape.ts';

type Schema = z.core.$ZodType;

/** A key of the configuration, as the example and the reference tell of it. */
export interface ConfigKey {
  readonly name: string;
  readonly description: string;
  /** What it is without being written; undefined where there is none. */
  readonly fallback: unknown;
  readonly example: unknown;
  /** The keys below it. */
  readonly keys: readonly ConfigKey[];
}

/** The keys of an object's schema, in its order. */
export function configKeys(schema: Schema): ConfigKey[] {
  return Object.entries(shapeOf(schema) ?? {}).map(([name, child]) => {
    const { description = '', examples } = z.globalRegistry.get(child) ?? {};
    const these = alternatives(child);
    const command = commandKeys(these);
    return {
      name,
      description: [description, ...saidBeside(these, command)].join(' '),
      fallback: fallbackOf(child),
      example: (examples as readonly unknown[] | undefined)?.[0],
      keys: command ? [] : these.flatMap(configKeys),
    };
  });
}

/** What every command may have beside its text: told once, not at each. */
export function commandKeys(these: readonly Schema[]): ConfigKey[] | undefined {
  const single = [...these, ...below(these, 0)];
  return kindOf(single) === 'command' ? single.flatMap(configKeys) : undefined;
}

function saidBeside(these: readonly Schema[], command: readonly ConfigKey[] | undefined): string[] {
  const choices = these.flatMap(choicesOf);
  const timeout = command?.find(({ name }) => name === 'timeout')?.fallback;
  return [
    ...(choices.length > 0 ? [`One of ${listed(choices)}.`] : []),
    ...(timeout === undefined ? [] : [`Time-out: ${timeout}.`]),
  ];
}

function choicesOf(schema: Schema): string[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  return def.type === 'enum' ? Object.values(def.entries).map(String) : [];
}

function fallbackOf(schema: Schema): unknown {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type === 'default' || def.type === 'prefault') return def.defaultValue;
  return def.type === 'optional' ? fallbackOf(def.innerType) : undefined;
}
