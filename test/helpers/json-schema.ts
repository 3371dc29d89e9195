import assert from 'node:assert/strict';

type Schema = Readonly<Record<string, unknown>>;

const says = new Set(['$schema', 'title', 'description', 'default', 'examples']);

/** Whether a value fits a JSON Schema, of the keywords that ours has; another keyword is a failure of the test. */
export function accepts(schema: Schema, value: unknown): boolean {
  return Object.entries(schema).every(([keyword, wanted]) => {
    if (says.has(keyword)) return true;
    const check = checks[keyword];
    assert.ok(check, `the schema has a keyword that this test does not know: ${keyword}`);
    return check(value, wanted, schema);
  });
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const checks: Readonly<Record<string, (value: unknown, wanted: unknown, schema: Schema) => boolean>> = {
  type: (value, wanted) => isOfType(value, wanted as string),
  enum: (value, wanted) => (wanted as unknown[]).includes(value),
  pattern: (value, wanted) => typeof value !== 'string' || new RegExp(wanted as string, 'u').test(value),
  minLength: (value, wanted) => typeof value !== 'string' || value.length >= (wanted as number),
  minItems: (value, wanted) => !Array.isArray(value) || value.length >= (wanted as number),
  minimum: (value, wanted) => typeof value !== 'number' || value >= (wanted as number),
  maximum: (value, wanted) => typeof value !== 'number' || value <= (wanted as number),
  anyOf: (value, wanted) => (wanted as Schema[]).some(schema => accepts(schema, value)),
  items: (value, wanted) => !Array.isArray(value) || value.every(item => accepts(wanted as Schema, item)),
  required: (value, wanted) => !isObject(value) || (wanted as string[]).every(name => name in value),
  properties: (value, wanted) =>
    !isObject(value) ||
    Object.entries(wanted as Record<string, Schema>).every(
      ([name, schema]) => !(name in value) || accepts(schema, value[name]),
    ),
  additionalProperties(value, wanted, { properties = {} }) {
    assert.equal(wanted, false);
    return !isObject(value) || Object.keys(value).every(name => name in (properties as object));
  },
};

function isOfType(value: unknown, type: string): boolean {
  if (type === 'object') return isObject(value);
  if (type === 'array') return Array.isArray(value);
  return type === 'integer' ? Number.isInteger(value) : typeof value === type;
}
