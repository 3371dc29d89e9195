import { exampleConfig } from '../../cli/config/example.ts';
import { configJsonSchema, schemaFile } from '../../cli/config/json-schema.ts';
import { reference } from './reference.ts';

/** What docs/ holds and is made of the program: the text of each file, by its name. */
export function generatedDocs(): ReadonlyMap<string, string> {
  return new Map([
    ['reference.md', reference()],
    ['stillpoint.example.yaml', exampleConfig()],
    [schemaFile, `${JSON.stringify(configJsonSchema(), null, 2)}\n`],
  ]);
}
