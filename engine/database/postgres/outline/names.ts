import { tokensOf } from '../sql/statements.ts';

/** A name in a schema. */
export interface ObjectName {
  readonly schema: string;
  readonly name: string;
}

/** `["schema","name"]`. */
export type NameKey = string;

export const keyOf = (schema: string, name: string): NameKey => JSON.stringify([schema, name]);

export function nameOfKey(key: NameKey): { readonly schema: string; readonly name: string } {
  const [schema, name] = JSON.parse(key) as [string, string];
  return { schema, name };
}

/** A token that means something. `name`: as it is stored, where the token can be a name. */
export interface Token {
  readonly text: string;
  readonly word: string | undefined;
  readonly name: string | undefined;
}

/** The tokens of a statement that mean something. */
export function meaningful(sql: string): Token[] {
  const tokens: Token[] = [];
  for (const { kind, text } of tokensOf(sql)) {
    if (kind === 'space') continue;
    const word = kind === 'word' ? text.toLowerCase() : undefined;
    const quoted = text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : undefined;
    tokens.push({ text, word, name: word ?? quoted });
  }
  return tokens;
}

export interface FoundName {
  readonly key: NameKey;
  /** Which token it begins with. */
  readonly at: number;
}

export function qualifiedNames(tokens: readonly Token[]): FoundName[] {
  const found: FoundName[] = [];
  for (let i = 0; i + 2 < tokens.length; i += 1) {
    const [schema, dot, name] = [tokens[i]!, tokens[i + 1]!, tokens[i + 2]!];
    if (schema.name === undefined || dot.text !== '.' || name.name === undefined) continue;
    if (tokens[i - 1]?.text === '.') continue; // table and column
    found.push({ key: keyOf(schema.name, name.name), at: i });
  }
  return found;
}

/** `nextval('public.t_id_seq'::regclass)`. */
export function namesInStrings(tokens: readonly Token[]): NameKey[] {
  return tokens
    .filter(({ text }) => text.startsWith("'") && text.includes('.'))
    .flatMap(({ text }) => qualifiedNames(meaningful(text.slice(1, -1).replaceAll("''", "'"))))
    .map(one => one.key);
}
