/**
 * Splits SQL into its statements, each with its semicolon and the comments before it, by the rules of psql: strings,
 * quoted names, dollar quotes, nested comments, parentheses, and bodies in BEGIN ATOMIC … END.
 */
export function* splitStatements(sql: string): Generator<string> {
  let from = 0;
  let depth = 0;
  let isBlank = true;
  let body = new BodyTracker();
  const token = new RegExp(tokens.source, tokens.flags);
  while (token.lastIndex < sql.length) {
    const at = token.lastIndex;
    // The last alternative takes any character, so there is always a match.
    const found = token.exec(sql)!;
    const text = found[0];
    if (found.groups?.['comment'] !== undefined) {
      if (text.startsWith('/*')) token.lastIndex = endOfComment(sql, at);
      continue;
    }
    if (found.groups?.['space'] !== undefined) continue;
    if (text === ';' && depth === 0 && !body.isOpen) {
      if (!isBlank) yield sql.slice(from, token.lastIndex);
      from = token.lastIndex;
      isBlank = true;
      body = new BodyTracker();
      continue;
    }
    isBlank = false;
    if (text === '(') depth += 1;
    else if (text === ')') depth = Math.max(0, depth - 1);
    else if (found.groups?.['word'] !== undefined && depth === 0) body.word(text.toLowerCase());
  }
  if (!isBlank) yield sql.slice(from);
}

/** Large objects' SQL is groups that end in a NUL but the last: each in turn, since hostile SQL may have millions. */
export function* groupsOf(sql: string): Generator<string> {
  let from = 0;
  for (let at = sql.indexOf('\0'); at >= 0; at = sql.indexOf('\0', from)) {
    yield sql.slice(from, at);
    from = at + 1;
  }
  yield sql.slice(from);
}

/** The first words of a statement in small letters, up to the first thing that is none; comments are passed over. */
export function leadingWords(statement: string, most: number): string[] {
  const words: string[] = [];
  for (const { kind, text } of tokensOf(statement)) {
    if (kind === 'space') continue;
    if (kind !== 'word') {
      if (text === '=' && words.length > 0) continue;
      return words;
    }
    if (words.push(text.toLowerCase()) === most) return words;
  }
  return words;
}

/** All words of a statement in small letters, and its semicolons; what is quoted or a comment is none. */
export function wordsOf(statement: string): string[] {
  return [...tokensOf(statement)]
    .filter(({ kind, text }) => kind === 'word' || text === ';')
    .map(({ text }) => text.toLowerCase());
}

/** A backslash outside of strings, quoted names and comments: psql takes what follows for a command of its own. */
export function hasBackslash(sql: string): boolean {
  for (const { kind, text } of tokensOf(sql)) if (kind === 'other' && text === '\\') return true;
  return false;
}

export interface SqlToken {
  readonly kind: 'space' | 'word' | 'other';
  readonly text: string;
}

/** SQL in its smallest parts, each a word, white space or a comment, or a string, a quoted name, a number or one character. */
export function* tokensOf(sql: string): Generator<SqlToken> {
  const token = new RegExp(tokens.source, tokens.flags);
  while (token.lastIndex < sql.length) {
    const at = token.lastIndex;
    const found = token.exec(sql)!;
    if (found.groups?.['comment'] !== undefined && found[0].startsWith('/*'))
      token.lastIndex = endOfComment(sql, at);
    const isSpace = found.groups?.['comment'] !== undefined || found.groups?.['space'] !== undefined;
    const isWord = found.groups?.['word'] !== undefined;
    yield { kind: isSpace ? 'space' : isWord ? 'word' : 'other', text: found[0] };
  }
}

/** As PostgreSQL and psql have it: whatever is not ASCII may be in a name. */
const nameStart = String.raw`[A-Za-z_\u0080-\u{10ffff}]`;
const nameMore = String.raw`[A-Za-z0-9_\u0080-\u{10ffff}]`;
const blank = String.raw`[ \t\n\r\f\v]`;
const escaped = String.raw`'(?:[^'\\]|\\[^]|'')*'`;
/** A string goes on after a line's end, with escapes where it began with them. */
const goesOn = String.raw`(?:(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:${blank}|--[^\n\r]*[\n\r])*${escaped})*`;

const tokens = new RegExp(
  [
    `(?<space>${blank}+)`,
    String.raw`(?<comment>--[^\n\r]*|/\*)`,
    `[eE]${escaped}${goesOn}`,
    "'(?:[^']|'')*'",
    '"(?:[^"]|"")*"',
    String.raw`\$(?<tag>${nameStart}${nameMore}*)?\$[^]*?\$\k<tag>\$`,
    `(?<word>${nameStart}(?:${nameMore}|\\$)*)`,
    '[0-9]+',
    '[^]',
  ].join('|'),
  'gu',
);

function endOfComment(sql: string, from: number): number {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = from;
  let depth = 0;
  for (let found = mark.exec(sql); found; found = mark.exec(sql)) {
    depth += found[0] === '/*' ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
  return sql.length;
}

/** Knows whether a statement is inside a body in BEGIN ATOMIC, whose semicolons do not end it. */
class BodyTracker {
  #words: string[] = [];
  #depth = 0;

  get isOpen(): boolean {
    return this.#depth > 0;
  }

  word(word: string): void {
    if (this.#words.length < 4) this.#words.push(word);
    if (!this.#makesRoutine) return;
    if (word === 'begin') this.#depth += 1;
    else if (word === 'case' && this.#depth > 0) this.#depth += 1;
    else if (word === 'end' && this.#depth > 0) this.#depth -= 1;
  }

  get #makesRoutine(): boolean {
    const [first, second, third, fourth] = this.#words;
    if (first !== 'create') return false;
    const kind = second === 'or' && third === 'replace' ? fourth : second;
    return kind === 'function' || kind === 'procedure';
  }
}
