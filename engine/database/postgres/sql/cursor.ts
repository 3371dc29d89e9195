import type { RelationName } from '../entries/entry-parts.ts';
import { type SqlToken, tokensOf } from './statements.ts';

/** A word in small letters, as the server takes it; what is quoted keeps its letters and is none. */
const wordOf = (token: SqlToken | undefined): string | undefined =>
  token?.kind === 'word' ? token.text.toLowerCase() : undefined;

/** Reads one statement from left to right. What it does not expect it does not take. */
export class SqlCursor {
  readonly #tokens: readonly SqlToken[];
  #at = 0;

  constructor(sql: string | readonly SqlToken[]) {
    this.#tokens = typeof sql === 'string' ? [...tokensOf(sql)].filter(({ kind }) => kind !== 'space') : sql;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#tokens.length;
  }

  /** The next word, if it is one; it stays. */
  peek(ahead = 0): string | undefined {
    return wordOf(this.#tokens[this.#at + ahead]);
  }

  /** True when these words or characters came next, which are then behind. */
  take(...wanted: readonly string[]): boolean {
    const isNext = wanted.every((text, i) => {
      const token = this.#tokens[this.#at + i];
      return token !== undefined && (wordOf(token) ?? token.text) === text;
    });
    if (isNext) this.#at += wanted.length;
    return isNext;
  }

  /** A name without a schema. */
  identifier(): string | undefined {
    const token = this.#tokens[this.#at];
    const isQuoted = token?.text.startsWith('"');
    if (!token || (token.kind !== 'word' && !isQuoted)) return undefined;
    this.#at += 1;
    return isQuoted ? token.text.slice(1, -1).replaceAll('""', '"') : token.text.toLowerCase();
  }

  /** `schema.name`; what has no schema is in none. */
  name(): RelationName | undefined {
    const first = this.identifier();
    if (first === undefined) return undefined;
    if (!this.take('.')) return { schema: '', name: first };
    const name = this.identifier();
    return name === undefined ? undefined : { schema: first, name };
  }

  /** A string constant. */
  string(): string | undefined {
    const text = this.#tokens[this.#at]?.text ?? '';
    const isEscaped = /^[eE]'/.test(text);
    if (!isEscaped && !text.startsWith("'")) return undefined;
    this.#at += 1;
    if (!isEscaped) return text.slice(1, -1).replaceAll("''", "'");
    return text
      .slice(2, -1)
      .replace(/''|\\([\s\S])/g, (all, c: string | undefined) => escapes[c ?? ''] ?? c ?? all[0]!);
  }

  /** What stands between parentheses, at commas; undefined where none open here. */
  list(): SqlCursor[] | undefined {
    if (!this.take('(')) return undefined;
    const items: SqlToken[][] = [[]];
    for (let depth = 1; !this.isAtEnd; this.#at += 1) {
      const token = this.#tokens[this.#at]!;
      if (token.text === '(') depth += 1;
      if (token.text === ')') depth -= 1;
      if (depth === 0) {
        this.#at += 1;
        return items.length === 1 && items[0]!.length === 0 ? [] : items.map(item => new SqlCursor(item));
      }
      if (depth === 1 && token.text === ',') items.push([]);
      else items.at(-1)!.push(token);
    }
    return undefined;
  }

  /** Names in parentheses; undefined where there is anything else. */
  names(): string[] | undefined {
    const found = this.list()?.map(item => {
      const name = item.identifier();
      return item.isAtEnd ? name : undefined;
    });
    return found?.every(name => name !== undefined) ? (found as string[]) : undefined;
  }

  /** Everything up to a word, with the spaces that SQL wants. */
  textUntil(isEnd: (word: string, next: string | undefined) => boolean): string {
    let text = '';
    for (; !this.isAtEnd; this.#at += 1) {
      const word = this.peek();
      if (word !== undefined && isEnd(word, this.peek(1))) break;
      const token = this.#tokens[this.#at]!;
      const isTight = /^[.,()[\]]$/.test(token.text) || /[.([]$/.test(text) || text === '' || /,$/.test(text);
      text += isTight ? token.text : ` ${token.text}`;
    }
    return text;
  }

  skipOne(): void {
    this.#at += 1;
  }

  /** Passes over everything up to this word or character; false: it does not come. */
  skipTo(text: string): boolean {
    for (; !this.isAtEnd; this.#at += 1) {
      const token = this.#tokens[this.#at]!;
      if ((wordOf(token) ?? token.text) === text) return true;
    }
    return false;
  }
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', '': "'" };
