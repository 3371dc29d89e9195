import { type BytePath, bytePathOfText, bytesOf } from '../home/paths.ts';

/** What may move the cursor, change colours, or turn the direction of a line: never shown as it is. */
const unsafe = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\\]/g;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The name as text; undefined where its bytes are not UTF-8. */
export function exactText(path: BytePath): string | undefined {
  try {
    return utf8.decode(bytesOf(path));
  } catch {
    return undefined;
  }
}

/**
 * A path for people, that loses nothing: what cannot be shown is written as `\xHH`, byte by byte, and a backslash as
 * two. `pathsMeant` takes it back.
 */
export function printable(path: BytePath): string {
  return path.split('/').map(printableName).join('/');
}

function printableName(name: string): string {
  const text = exactText(name as BytePath);
  if (text !== undefined) return printableText(text);
  return [...name].map(c => (c > '~' ? escaped(c) : printableText(c))).join('');
}

/** Text of any origin, safe for a terminal; escapes as in `printable`. */
export const printableText = (text: string): string =>
  text.replace(unsafe, c => (c === '\\' ? '\\\\' : escaped(bytePathOfText(c))));

const escaped = (bytes: string): string =>
  [...bytes].map(c => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`).join('');

/** What a person may mean by a path: the very bytes, and where it has escapes, what `printable` shows so. */
export function pathsMeant(text: string): BytePath[] {
  const literal = bytePathOfText(text);
  const taken = literal.replace(/\\(?:\\|x([0-9a-fA-F]{2}))/g, (_, hex?: string) =>
    hex === undefined ? '\\' : String.fromCharCode(Number.parseInt(hex, 16)),
  ) as BytePath;
  return taken === literal ? [literal] : [literal, taken];
}
