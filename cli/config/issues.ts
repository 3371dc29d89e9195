import type { z } from 'zod';
import { nearest } from '../../engine/index.ts';
import type { ConfigDocument } from './document.ts';
import { keyName, type Mistake } from './mistakes.ts';
import { listed, nounOf } from './nouns.ts';
import { alternatives, below, keysOf, kindOf } from './shape.ts';

type Issue = z.core.$ZodIssue;
type Schema = z.core.$ZodType;

interface World {
  readonly schema: Schema;
  readonly document: ConfigDocument;
}

/** What the schema has against a document, in words for whoever wrote it. */
export function mistakesOf(issues: readonly Issue[], world: World): Mistake[] {
  const flat = issues.flatMap(branches);
  const misspelt = new Set(flat.flatMap(issue => meantKeys(issue, world)));
  return flat
    .flatMap(issue => explain(issue, world))
    .filter(({ key, isMissing }) => !isMissing || !misspelt.has(key));
}

/** Of a union, what the branch says that the value is meant for: the one that looks into it, if there is one. */
function branches(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const chosen = issue.errors.find(branch =>
    branch.every(({ path, code }) => path.length > 0 || code === 'unrecognized_keys'),
  );
  if (!chosen) return [issue];
  return chosen.flatMap(inner => branches({ ...inner, path: [...issue.path, ...inner.path] }));
}

/** A key that is missing only because it is misspelt is one mistake. */
function meantKeys(issue: Issue, { schema }: World): string[] {
  if (issue.code !== 'unrecognized_keys') return [];
  const known = keysOf(schemasAt(schema, issue.path));
  return issue.keys.map(key => keyName([...issue.path, nearest(key, known) ?? key]));
}

function explain(issue: Issue, world: World): (Mistake & { readonly isMissing?: boolean })[] {
  const { schema, document } = world;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(name => {
      const path = [...issue.path, name];
      return {
        offset: document.offsetOf(path),
        key: keyName(path),
        problem: `unknown key "${keyName(path)}"`,
        remedy: placeOf(name, { schema, path: issue.path }),
      };
    });
  }
  const key = keyName(issue.path);
  const found = foundAt(issue.path, world);
  const allowed = allowedBy(issue, schema);
  const offset = document.offsetOf(issue.path);
  if (found === undefined) {
    const remedy = `Write ${key}: it takes ${allowed}.`;
    return [{ offset, key, problem: `${key} is missing`, remedy, isMissing: true }];
  }
  const remedy = suggestion(issue, document) ?? `It takes ${allowed}.`;
  return [{ offset, key, problem: `${key || 'the file'} is ${found}`, remedy }];
}

/** Where a key belongs that is not known here: perhaps it is misspelt, perhaps its lines are indented wrongly. */
function placeOf(key: string, { schema, path }: { schema: Schema; path: readonly PropertyKey[] }): string {
  const known = keysOf(schemasAt(schema, path));
  const elsewhere = placesOf(key, { these: alternatives(schema), path: [] });
  if (elsewhere.length > 0) {
    const places = elsewhere.map(place => (place === '' ? 'at the top, not indented' : `below ${place}`));
    return `It belongs ${listed(places.slice(0, 3))}.`;
  }
  const near = nearest(key, known);
  return near ? `Did you mean "${near}"?` : `Known keys here: ${known.join(', ')}.`;
}

function placesOf(
  key: string,
  { these, path }: { these: readonly Schema[]; path: readonly string[] },
): string[] {
  const known = keysOf(these);
  const here = known.includes(key) ? [path.join('.')] : [];
  return [
    ...here,
    ...known.flatMap(name => placesOf(key, { these: below(these, name), path: [...path, name] })),
  ];
}

function schemasAt(schema: Schema, path: readonly PropertyKey[]): Schema[] {
  return path.reduce<Schema[]>((these, key) => below(these, key as string | number), alternatives(schema));
}

/** What stands there, never a secret; undefined when nothing does. */
function foundAt(path: readonly PropertyKey[], { schema, document }: World): string | undefined {
  const value = path.reduce<unknown>(
    (part, key) => (part as Record<PropertyKey, unknown> | undefined)?.[key],
    document.values,
  );
  if (value === undefined) return undefined;
  if (value === null) return 'empty';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a mapping with keys of its own';
  if (value === '') return 'an empty text';
  if (path.length === 0) return 'a text and no mapping of keys to values';
  const these = schemasAt(schema, path);
  const kind = kindOf(these) ?? kindOf(below(these, 0));
  if (kind === 'secret' || kind === 'command')
    return `a ${typeof value === 'string' ? 'text' : typeof value}`;
  const written = document.writtenAt(path) ?? String(value);
  const shown = written.length > shownMax ? `${written.slice(0, shownMax)}…` : written;
  return typeof value === 'string' ? `"${shown}"` : shown;
}

const shownMax = 60;

function allowedBy(issue: Issue, schema: Schema): string {
  const these = schemasAt(schema, issue.path);
  switch (issue.code) {
    case 'custom':
      return issue.message;
    case 'invalid_type':
      return nounOf(these, issue.expected);
    case 'invalid_value':
      return listed(issue.values.map(String));
    case 'invalid_union': {
      if (kindOf(these)) return nounOf(these, undefined);
      const each = issue.errors.flatMap(branch => branch.slice(0, 1));
      return listed([...new Set(each.map(inner => nounOf([], 'expected' in inner ? inner.expected : '')))]);
    }
    case 'too_small':
      if (issue.origin === 'string') return 'a text that is not empty';
      if (issue.origin === 'array') return `a list of at least ${issue.minimum}`;
      return kindOf(these) ? nounOf(these, undefined) : `${issue.minimum} or more`;
    case 'too_big':
      if (kindOf(these)) return nounOf(these, undefined);
      return `at most ${issue.maximum}`;
    default:
      return nounOf(these, undefined);
  }
}

function suggestion(issue: Issue, document: ConfigDocument): string | undefined {
  if (issue.code !== 'invalid_value') return undefined;
  const values = issue.values.map(String);
  const near = nearest(document.writtenAt(issue.path) ?? '', values);
  return `${near ? `Did you mean "${near}"? ` : ''}It takes ${listed(values)}.`;
}
