interface Line {
  readonly key: string;
  /** As it is written: what is escaped in it is not read yet. */
  readonly value: string;
  /** Where the value is in the text. */
  readonly from: number;
  readonly to: number;
}

/**
 * The text of a properties file, which is Latin-1: bytes that are not understood stay as they are. Read as Java reads it,
 * where the last of several lines with one key counts and a key may be written with escapes: whoever asks what the
 * application will do must get the application's answer.
 */
export class PropertiesText {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** A value over several lines is joined, and what is escaped in it read. */
  get(key: string): string | undefined {
    const line = [...linesOf(this.#text)].findLast(one => one.key === key);
    return line && unescaped(line.value).trim();
  }

  /** The same text with another value on every line that has the key; every other byte stays. */
  with(key: string, value: string): PropertiesText {
    const written = Buffer.from(value.replaceAll('\\', '\\\\')).toString('latin1');
    let text = '';
    let done = 0;
    for (const line of linesOf(this.#text)) {
      if (line.key !== key) continue;
      text += this.#text.slice(done, line.from) + written;
      done = line.to;
    }
    return new PropertiesText(text + this.#text.slice(done));
  }

  get bytes(): Buffer {
    return Buffer.from(this.#text, 'latin1');
  }
}

/** A line, with those that it goes on in: it does after an odd number of backslashes, unless it is a comment. */
const logicalLine = /[ \t\f]*(?:[#!][^\r\n]*|(?:\\(?:\r\n|[\s\S])|[^\\\r\n])*)(?:\r\n|\r|\n|$)/y;
const parts =
  /^((?:[ \t\f]|\\(?:\r\n|\r|\n)[ \t\f]*)*)((?:\\(?:\r\n|\r|\n)[ \t\f]*|\\[^\r\n]|[^\\\r\n \t\f=:])*)((?:[ \t\f]|\\(?:\r\n|\r|\n))*(?:[=:](?:[ \t\f]|\\(?:\r\n|\r|\n))*)?)/;

function* linesOf(text: string): Generator<Line> {
  const line = new RegExp(logicalLine.source, logicalLine.flags);
  while (line.lastIndex < text.length) {
    const start = line.lastIndex;
    const found = line.exec(text)?.[0];
    if (!found) return; // a lone backslash at the end
    const whole = found.replace(/[\r\n]+$/, '');
    if (/^[ \t\f]*(?:[#!]|$)/.test(whole)) continue;
    const [head = '', , key = ''] = parts.exec(whole) ?? [];
    const from = start + head.length;
    yield { key: unescaped(key), value: whole.slice(head.length), from, to: start + whole.length };
  }
}

const letters: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' };

function unescaped(written: string): string {
  return written.replace(
    /\\(?:(\r\n|\r|\n)[ \t\f]*|u([0-9a-fA-F]{4})|([\s\S]))/g,
    (_, end?: string, code?: string, one?: string) => {
      if (end !== undefined) return '';
      if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
      return letters[one!] ?? one!;
    },
  );
}
