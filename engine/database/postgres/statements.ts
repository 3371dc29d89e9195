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

const tokens = new RegExp(
  [
    String.raw`(?<space>\s+)`,
    String.raw`(?<comment>--[^\n]*|/\*)`,
    String.raw`[eE]'(?:[^'\\]|\\[^]|'')*'`,
    "'(?:[^']|'')*'",
    '"(?:[^"]|"")*"',
    String.raw`\$(?<tag>[\p{L}_][\p{L}\p{N}_]*)?\$[^]*?\$\k<tag>\$`,
    String.raw`(?<word>[\p{L}_][\p{L}\p{N}_$]*)`,
    String.raw`\p{N}+`,
    '[^]',
  ].join('|'),
  'guy',
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
