import type { Outline } from './outline.ts';
import { quoted } from './sql.ts';

/** Of a statement: a text, a name in backquotes, a comment, a word; whatever else is one character. Latin-1, a byte each. */
const tokenPattern =
  /'(?:[^'\\]|\\[\s\S]|'')*'|"(?:[^"\\]|\\[\s\S]|"")*"|`(?:[^`]|``)*`|--[ \t][^\n]*|#[^\n]*|\/\*(?![!M])[\s\S]*?\*\/|[\w$\x80-\xff]+|[\s\S]/g;

const tokensOf = (sql: Buffer): string[] => sql.toString('latin1').match(tokenPattern) ?? [];
const latin = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

const ofSequences = /^(?:nextval|lastval|setval)$/i;

/** The server shows a default from a sequence with the name of its database, which is another one where it is restored. */
export function withoutOwnName(sql: Buffer, database: string): Buffer {
  const own = latin(quoted(database));
  const tokens = tokensOf(sql);
  const isOwn = (i: number): boolean =>
    tokens[i] === own &&
    tokens[i + 1] === '.' &&
    tokens[i - 1] === '(' &&
    ofSequences.test(tokens[i - 2] ?? '');
  const kept = tokens.filter((_, i) => !isOwn(i) && !isOwn(i - 1));
  return kept.length === tokens.length ? sql : Buffer.from(kept.join(''), 'latin1');
}

/** Whether a body names its own database: under another name it works on the one that it came from. */
export function namesItself(sql: Buffer, database: string): boolean {
  const names = new Set([quoted(database), `"${database}"`, database].map(one => latin(one).toLowerCase()));
  const tokens = tokensOf(sql).filter(token => !/^\s$/.test(token));
  return tokens.some((token, i) => names.has(token.toLowerCase()) && tokens[i + 1] === '.');
}

/** A sentence about what works on the database that it came from; none where there is no such thing. */
export async function aboutNamesakes(
  { facts, objects }: Pick<Outline, 'facts' | 'objects'>,
  read: (object: Outline['objects'][number]) => Promise<Buffer>,
): Promise<string[]> {
  const found: string[] = [];
  for (const object of objects) {
    // A view is shown, and made, with the name of wherever it is.
    if (object.class === 'view') continue;
    if (namesItself(await read(object), facts.database)) found.push(`${object.class} ${object.name}`);
  }
  if (found.length === 0) return [];
  return [
    `These name the database ${facts.database}, and work on it wherever they are: ${found.join(', ')}. Under another name, write them anew`,
  ];
}
