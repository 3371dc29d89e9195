import * as z from 'zod';
import { configSchema } from './schema.ts';

/** Where editors find it: a file beside the configuration, as `stillpoint config --schema` prints it. */
export const schemaFile = 'configuration.schema.json';

/** The schema of a configuration for editors: JSON Schema, of the file as it is written. */
export function configJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(configSchema, {
    io: 'input',
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      const { def } = zodSchema._zod;
      if (def.type === 'default' || def.type === 'prefault') jsonSchema.default = def.defaultValue;
      const { examples } = z.globalRegistry.get(zodSchema) ?? {};
      if (examples) jsonSchema.examples = [...(examples as unknown[])]; // it leaves out those of what is transformed
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    },
  });
  return { $schema, title: 'Configuration of Stillpoint', ...rest };
}
