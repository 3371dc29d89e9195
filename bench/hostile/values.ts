import type { CborValue } from '../../store/index.ts';
import type { Random } from './random.ts';

/** Numbers at which something ends. */
export const edges: readonly number[] = [
  ...[0, 1, 2, 23, 24, 31, 32, 33, 127, 128, 129, 255, 256, 4_095, 4_096, 65_535, 65_536, 2 ** 20],
  ...[2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 52, 2 ** 53 - 1],
];

const nastyTexts: readonly string[] = [
  ...[
    '',
    '.',
    '..',
    '/',
    '../../outside/x',
    '\0',
    'a\0b',
    '\x1b[2J\x1b[31m',
    'x\nSnapshot 00000000',
    '\u202egpj',
    '\ufeff',
  ],
  ...[
    "'; DROP DATABASE postgres; --",
    '"',
    '""',
    '\\',
    'public',
    'x'.repeat(300),
    '\\connect postgres',
    '__proto__',
    'constructor',
  ],
];

/** A value that nobody expects there. */
export function nastyValue(random: Random, depth = 0): CborValue {
  switch (random.below(depth > 2 ? 6 : 9)) {
    case 0:
      return random.pick(edges);
    case 1:
      return -Math.max(1, random.pick(edges)); // -0 has no encoding
    case 2:
      return random.pick(nastyTexts);
    case 3:
      return random.pick([null, true, false]);
    case 4:
      return new Uint8Array(random.bytes(random.pick([0, 1, 7, 8, 31, 32, 33, 64])));
    case 5:
      return random.pick([2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n, -(2n ** 53n)]);
    case 6:
      return Array.from({ length: random.below(4) }, () => nastyValue(random, depth + 1));
    case 7:
      return new Map(Array.from({ length: random.below(4) }, (_, i) => [i, nastyValue(random, depth + 1)]));
    default:
      return Array.from({ length: random.below(70) }, () => random.pick(edges));
  }
}

/** The value with one place of it changed: another value, one more, one less, or two that changed places. */
export function mutated(random: Random, value: CborValue): CborValue {
  if (value instanceof Map && value.size > 0 && random.chance(0.9)) {
    const map = new Map<number, CborValue>(value);
    const key = random.pick([...map.keys()]);
    const how = random.below(8);
    if (how === 0) map.delete(key);
    else if (how === 1) map.set(random.below(20), nastyValue(random));
    else if (how === 2) map.set(key, nastyValue(random));
    else map.set(key, mutated(random, map.get(key)!));
    return map;
  }
  if (Array.isArray(value) && value.length > 0 && random.chance(0.9)) {
    const list = [...(value as readonly CborValue[])];
    const at = random.below(list.length);
    const how = random.below(8);
    if (how === 0) list.splice(at, 1);
    else if (how === 1) list.splice(at, 0, list[random.below(list.length)]!);
    else if (how === 2) list[at] = nastyValue(random);
    else if (how === 3) list.reverse();
    else list[at] = mutated(random, list[at]!);
    return list;
  }
  if (value instanceof Uint8Array && value.length > 0 && random.chance(0.7)) {
    const bytes = Buffer.from(value);
    const how = random.below(4);
    if (how === 0) return new Uint8Array(bytes.subarray(0, random.below(bytes.length)));
    if (how === 1) return new Uint8Array(Buffer.concat([bytes, random.bytes(1 + random.below(40))]));
    bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
    return new Uint8Array(bytes);
  }
  if (typeof value === 'number' && random.chance(0.6)) {
    const near = value + random.pick([-1, 1, 2, 100]);
    return Number.isSafeInteger(near) ? near : 0;
  }
  if (typeof value === 'string' && random.chance(0.5)) return value + random.pick(nastyTexts);
  return nastyValue(random);
}
