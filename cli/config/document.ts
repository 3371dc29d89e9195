import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  type YAMLError,
} from 'yaml';
import type { z } from 'zod';
import { BadVariable, interpolate } from './interpolate.ts';
import { keyName, type Mistake } from './mistakes.ts';
import { alternatives, below, kindOf, takesOnlyText } from './shape.ts';

/** A configuration as YAML: variables replaced, texts as they are written. */
export interface ConfigDocument {
  /** What YAML, or replacing a variable, stumbled on; with any of `isUnreadable` there are no values. */
  readonly mistakes: readonly Mistake[];
  readonly isUnreadable: boolean;
  readonly values: unknown;
  lineOf(offset: number): number;
  /** Where the key, or else the value, at a path stands; of the nearest that is there. */
  offsetOf(path: readonly PropertyKey[]): number;
  /** A text as it is written, before its variables were replaced. */
  writtenAt(path: readonly PropertyKey[]): string | undefined;
}

export function readDocument(
  text: string,
  { schema, env }: { readonly schema: z.core.$ZodType; readonly env: NodeJS.ProcessEnv },
): ConfigDocument {
  const lines = new LineCounter();
  const lineOf = (offset: number) => lines.linePos(offset).line;
  const unreadable = (...mistakes: Mistake[]): ConfigDocument => ({
    mistakes,
    isUnreadable: true,
    values: undefined,
    lineOf,
    offsetOf: () => 0,
    writtenAt: () => undefined,
  });
  let document: Document.Parsed;
  try {
    document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: 'error',
    });
  } catch {
    return unreadable(yamlMistake({ problem: 'it is nested too deeply', offset: 0 }));
  }
  const broken = document.errors[0] ?? document.warnings[0];
  if (broken) return unreadable(yamlMistake(explain(broken)));
  const mistakes: Mistake[] = [];
  readNode(document.contents, { path: [], these: alternatives(schema), env, mistakes, document });
  let values: unknown;
  try {
    values = document.toJS({ maxAliasCount: 100 });
  } catch {
    const problem = 'its aliases (*name) lead to too much, or nowhere';
    return unreadable(...(mistakes.length > 0 ? mistakes : [yamlMistake({ problem, offset: 0 })]));
  }
  return {
    mistakes,
    isUnreadable: false,
    values,
    lineOf,
    offsetOf: path => offsetOf(document, path),
    writtenAt(path) {
      const node = document.getIn(path, true);
      return isScalar(node) ? node.source : undefined;
    },
  };
}

interface Reading {
  readonly path: readonly PropertyKey[];
  readonly these: readonly z.core.$ZodType[];
  readonly env: NodeJS.ProcessEnv;
  readonly mistakes: Mistake[];
  readonly document: Document.Parsed;
}

/** Only what the schema knows is looked into: the rest is a mistake in any case. */
function readNode(node: unknown, reading: Reading): void {
  const { path, these, mistakes } = reading;
  const into = (child: unknown, key: string | number) =>
    readNode(child, { ...reading, path: [...path, key], these: below(these, key) });
  if (isMap(node)) {
    const seen = new Map<string, number>();
    for (const pair of node.items) {
      const key = String(isScalar(pair.key) ? pair.key.value : pair.key);
      const offset = rangeOf(pair.key)?.[0] ?? 0;
      if (seen.has(key)) {
        mistakes.push({
          offset,
          key: keyName([...path, key]),
          problem: `duplicate key "${keyName([...path, key])}"`,
          remedy: 'Leave one of the two.',
        });
      }
      seen.set(key, offset);
      into(pair.value, key);
    }
  } else if (isAlias(node) && !node.resolve(reading.document)) {
    mistakes.push(
      yamlMistake({
        problem: 'an alias (*name) leads nowhere; a text that begins with * needs quotes',
        offset: rangeOf(node)?.[0] ?? 0,
      }),
    );
  } else if (isSeq(node)) {
    node.items.forEach(into);
  } else if (isScalar(node) && these.length > 0) {
    readScalar(node, reading);
  }
}

/** `password: 0123` means the text 0123, whatever YAML takes it for. */
function readScalar(node: Scalar, { path, these, env, mistakes }: Reading): void {
  if (typeof node.value === 'number' || typeof node.value === 'boolean') {
    if (takesOnlyText(these)) node.value = node.source ?? String(node.value);
  }
  if (typeof node.value !== 'string') return;
  try {
    node.value = interpolate(node.value, { env, isForShell: kindOf(these) === 'command' });
  } catch (error) {
    if (!(error instanceof BadVariable)) throw error;
    mistakes.push({
      offset: node.range?.[0] ?? 0,
      key: keyName(path),
      problem: `${keyName(path)}: ${error.message}`,
      remedy: error.remedy,
    });
  }
}

function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number {
  for (let depth = path.length; depth > 0; depth--) {
    const above = depth === 1 ? document.contents : document.getIn(path.slice(0, depth - 1), true);
    const parent = isAlias(above) ? above.resolve(document) : above;
    if (isMap(parent)) {
      const pair = parent.items.findLast(item => isScalar(item.key) && item.key.value === path[depth - 1]);
      const range = rangeOf(pair?.key);
      if (range) return range[0];
    }
    if (isSeq(parent)) {
      const range = rangeOf(parent.items[Number(path[depth - 1])]);
      if (range) return range[0];
    }
  }
  return rangeOf(document.contents)?.[0] ?? 0;
}

function rangeOf(node: unknown): Node['range'] {
  return (node as Node | null | undefined)?.range;
}

function yamlMistake({ problem, offset }: { problem: string; offset: number }): Mistake {
  return { offset, key: '', problem, remedy: 'Mend the YAML there; `stillpoint config` prints an example.' };
}

/** The library speaks to programmers. */
function explain({ code, message, pos }: YAMLError): { problem: string; offset: number } {
  const offset = pos[0];
  const known: Partial<Record<string, string>> = {
    TAB_AS_INDENT: 'a tab is no indentation; use spaces',
    MULTIPLE_DOCS: 'a second document begins (---); there can be only one',
    BAD_INDENT: 'the indentation does not fit the lines above',
    MISSING_CHAR: 'something is missing: a closing quote or bracket, a comma, or a space after a colon',
    BAD_SCALAR_START: 'a text that begins with this character needs quotes',
    BAD_ALIAS: 'an alias (*name) or anchor (&name) has no name; a text that begins so needs quotes',
    UNEXPECTED_TOKEN: 'this cannot stand here; a text with special characters needs quotes',
    MULTILINE_IMPLICIT_KEY: 'a key must be on one line, and end with a colon and a space',
    BLOCK_AS_IMPLICIT_KEY:
      'a key stands beside another one; each needs its own line and the same indentation',
    BAD_DIRECTIVE: 'a line that begins with % is for YAML itself, and this one means nothing to it',
    TAG_RESOLVE_FAILED: 'a tag (!name) means nothing here; a text that begins with ! needs quotes',
  };
  const [, bracket] = /end with a ([}\]])/.exec(message) ?? [];
  if (bracket)
    return { offset, problem: `a closing ${bracket} is missing, or lines before it are indented too little` };
  if (message.includes('call stack')) return { offset, problem: 'it is nested too deeply' };
  return { offset, problem: known[code] ?? message.split('\n')[0] ?? 'it is not YAML' };
}
