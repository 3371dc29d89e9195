import * as z from 'zod';

/** What a value is beyond its type; a property of the schema, found by walking it. */
export type Kind =
  | 'path' // relative to the file's folder
  | 'place' // a path, or a URL
  | 'command' // for /bin/sh, which replaces variables itself
  | 'secret' // never shown; a URL may hold one
  | 'duration' // ms once it is read
  | 'count';

const kinds = z.registry<{ readonly kind: Kind }>();

type Schema = z.core.$ZodType;

export function ofKind<T extends z.ZodType>(kind: Kind, schema: T): T {
  const own = schema.clone();
  kinds.add(own, { kind });
  return own;
}

/** What a value may be: unions and wrappers taken apart, as the file is written. */
export function alternatives(schema: Schema): Schema[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (kinds.has(schema)) return [schema];
  switch (def.type) {
    case 'optional':
    case 'default':
    case 'prefault':
      return alternatives(def.innerType);
    case 'pipe':
      return alternatives(def.in);
    case 'union':
      return def.options.flatMap(alternatives);
    default:
      return [schema];
  }
}

/** What may stand at a key, or in a list, of what may be any of these. */
export function below(these: readonly Schema[], key: string | number): Schema[] {
  return these.flatMap(schema => {
    const { def } = (schema as z.core.$ZodTypes)._zod;
    if (def.type === 'object' && typeof key === 'string') {
      const child = Object.hasOwn(def.shape, key) ? def.shape[key] : undefined;
      return child ? alternatives(child) : [];
    }
    return def.type === 'array' && typeof key === 'number' ? alternatives(def.element) : [];
  });
}

/** The keys that any of these knows, in their order. */
export function keysOf(these: readonly Schema[]): string[] {
  const keys = these.flatMap(schema => Object.keys(shapeOf(schema) ?? {}));
  return [...new Set(keys)];
}

/** The keys of an object's schema, each with its own. */
export function shapeOf(schema: Schema): Readonly<Record<string, Schema>> | undefined {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  return def.type === 'object' ? def.shape : undefined;
}

export function kindOf(these: readonly Schema[]): Kind | undefined {
  return these.map(schema => kinds.get(schema)?.kind).find(kind => kind !== undefined);
}

/** True where a text is taken, and no number or boolean. */
export function takesOnlyText(these: readonly Schema[]): boolean {
  const types = these.map(schema => (schema as z.core.$ZodTypes)._zod.def.type);
  return types.includes('string') && !types.includes('number') && !types.includes('boolean');
}

/** A copy of a value that was checked, with each part of one kind replaced. */
export function mapKind<T>(
  value: T,
  {
    schema,
    kind,
    to,
  }: { readonly schema: Schema; readonly kind: Kind; readonly to: (text: string) => unknown },
): T {
  const visit = (part: unknown, these: readonly Schema[]): unknown => {
    if (part === undefined || part === null) return part;
    if (kindOf(these) === kind) return to(part as string);
    if (Array.isArray(part)) return part.map((item, index) => visit(item, below(these, index)));
    if (typeof part !== 'object') return part;
    return Object.fromEntries(Object.entries(part).map(([key, one]) => [key, visit(one, below(these, key))]));
  };
  return visit(value, alternatives(schema)) as T;
}
