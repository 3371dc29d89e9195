import { type Cuts, cutsFrom } from '../../chunker/index.ts';

/** Inputs that are the same on every machine: golden cuts were made of them, so what they yield never changes. */

/** Xorshift32 (Marsaglia, 2003). The seed is not 0. */
export function numbersFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

export function randomBytes(seed: number, length: number): Uint8Array {
  const next = numbersFrom(seed);
  return Uint8Array.from({ length }, () => next() >>> 24);
}

const words =
  'the of and to in is that for with a it as was on be by not this are from at or an have had but which you all were their one has been would there when who will more if no out so said what up its about into than them can only other new some could time these two may then do first any my now such like our over man me even most made after also did many before must through back years where much your way'.split(
    ' ',
  );

/** Prose-like: few words often, many seldom, lines of about 80 bytes. */
export function textBytes(seed: number, length: number): Uint8Array {
  const next = numbersFrom(seed);
  return fill(length, () => {
    let line = '';
    while (line.length < 80) line += `${words[Math.floor(words.length * (next() / 2 ** 32) ** 2)]} `;
    return `${line.trimEnd()}.\n`;
  });
}

/** Rows as COPY writes them: a serial key first, columns that are nearly always the same last. */
export function rowBytes(seed: number, length: number): Uint8Array {
  const next = numbersFrom(seed);
  let id = seed % 1000;
  return fill(length, () => {
    id += 1 + (next() % 3);
    const title = `${words[next() % words.length]} ${words[next() % words.length]}`;
    const settings = '{"merge": {"strategy": "no-ff", "squash": false}, "hooks": []}';
    return `${id}\t${next() % 50}\t${title}\t2024-0${1 + (next() % 9)}-1${next() % 10} 10:00:00+00\t${settings}\t\\N\tf\n`;
  });
}

function fill(length: number, nextLine: () => string): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const line = new TextEncoder().encode(nextLine()).subarray(0, length - at);
    bytes.set(line, at);
    at += line.length;
  }
  return bytes;
}

/** Stands in for a store's secret. */
export function xofOf(seed: number): (label: string, length: number) => Uint8Array {
  return (label, length) => {
    let mixed = seed;
    for (const letter of label) mixed = (Math.imul(mixed, 31) + letter.charCodeAt(0)) >>> 0;
    return randomBytes(mixed || 1, length);
  };
}

const KiB = 1024;

/** Sizes in the proportions of v1, small enough for many chunks in a quick test. */
export const smallSizes: Parameters<typeof cutsFrom>[1] = {
  data: { minBytes: 8 * KiB, averageBytes: 16 * KiB, maxBytes: 128 * KiB },
  rows: { minBytes: 1 * KiB, averageBytes: 4 * KiB, maxBytes: 16 * KiB },
  nodes: { minBytes: 512, averageBytes: 2 * KiB, maxBytes: 8 * KiB },
};

export function smallCuts(seed: number): Cuts {
  return cutsFrom(xofOf(seed), smallSizes);
}

/** The pieces of bytes, given by their lengths. */
export function pieces(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  let at = 0;
  return lengths.map(length => {
    at += length;
    return bytes.subarray(at - length, at);
  });
}

/** How much of b lies in chunks that a has too, 0 to 1. */
export function shareInCommon(a: readonly Uint8Array[], b: readonly Uint8Array[]): number {
  const known = new Set(a.map(chunk => Buffer.from(chunk).toString('latin1')));
  const total = b.reduce((sum, chunk) => sum + chunk.length, 0);
  const common = b.filter(chunk => known.has(Buffer.from(chunk).toString('latin1')));
  return common.reduce((sum, chunk) => sum + chunk.length, 0) / total;
}
