/**
 * A name or path as a string with one character (0–255) for each byte. Names on Linux are bytes; this keeps every byte,
 * sorts as the bytes do, and costs a third of a Buffer. Never hand one to a file call: `bytesOf` first.
 */
declare const brand: unique symbol;
export type BytePath = string & { readonly [brand]: 'BytePath' };

export const bytePath = (bytes: Uint8Array): BytePath =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1') as BytePath;

export const bytePathOfText = (text: string): BytePath => bytePath(Buffer.from(text));

export const bytesOf = (path: BytePath): Buffer => Buffer.from(path, 'latin1');

/** Adds a name to a folder's path. An empty folder path means that the name stands alone. */
export const join = (folder: BytePath, name: BytePath): BytePath =>
  (folder === '' ? name : folder.endsWith('/') ? folder + name : `${folder}/${name}`) as BytePath;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The path as text: UTF-8 where it is valid, else one character a byte. For patterns and messages, never for file calls. */
export function textOf(path: BytePath): string {
  if (!hasHighBytes(path)) return path;
  try {
    return utf8.decode(bytesOf(path));
  } catch {
    return path; // not UTF-8: show the bytes as Latin-1 rather than lose them
  }
}

/** What may move the cursor, change colours, or turn the direction of a line. */
const unsafe = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Like `textOf`, with control characters escaped, so that a name cannot forge lines in a message. */
export function shown(path: BytePath): string {
  return textOf(path).replace(unsafe, c => {
    const code = c.charCodeAt(0).toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`;
  });
}

function hasHighBytes(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return true;
  return false;
}

/** Orders siblings as the keys of a listing do: by bytes, a folder's name followed by a slash. */
export function compareSiblings(a: Sibling, b: Sibling): number {
  const left = a.folder ? `${a.name}/` : a.name;
  const right = b.folder ? `${b.name}/` : b.name;
  return left < right ? -1 : left > right ? 1 : 0;
}

export interface Sibling {
  readonly name: string;
  readonly folder: boolean;
}
