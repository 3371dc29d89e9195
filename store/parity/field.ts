/**
 * The field of 256 elements that the parity is computed in: bytes as polynomials over two elements, modulo
 * x⁸ + x⁴ + x³ + x² + 1. Adding is XOR; 2 generates every element but 0.
 */
const modulus = 0x11d;
const powers = new Uint8Array(255);
const logarithms = new Uint8Array(256);
for (let i = 0, power = 1; i < 255; i++) {
  powers[i] = power;
  logarithms[power] = i;
  power <<= 1;
  if (power > 255) power ^= modulus;
}

export function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : powers[(logarithms[a]! + logarithms[b]!) % 255]!;
}

/** Of an element that is not 0. */
export function inverse(a: number): number {
  if (a === 0) throw new RangeError('0 has no inverse');
  return powers[(255 - logarithms[a]!) % 255]!;
}

/** 2 to a power, which may be negative. */
export function powerOfTwo(exponent: number): number {
  return powers[((exponent % 255) + 255) % 255]!;
}

/** target[i] += factor · source[i]. */
export function addMultiple(target: Uint8Array, source: Uint8Array, factor: number): void {
  if (factor === 0) return;
  const table = Uint8Array.from({ length: 256 }, (_, value) => multiply(factor, value));
  for (let i = 0; i < source.length; i++) target[i]! ^= table[source[i]!]!;
}

/** The inverse of a square matrix, row by row; a singular one is a RangeError. */
export function invert(matrix: readonly (readonly number[])[]): number[][] {
  const size = matrix.length;
  const work = matrix.map((row, i) => [...row, ...row.map((_, j) => (i === j ? 1 : 0))]);
  for (let column = 0; column < size; column++) {
    const pivot = work.findIndex((row, i) => i >= column && row[column] !== 0);
    if (pivot < 0) throw new RangeError('a singular matrix has no inverse');
    [work[column], work[pivot]] = [work[pivot]!, work[column]!];
    const scale = inverse(work[column]![column]!);
    work[column] = work[column]!.map(value => multiply(value, scale));
    for (let i = 0; i < size; i++) {
      const factor = work[i]![column]!;
      if (i === column || factor === 0) continue;
      work[i] = work[i]!.map((value, j) => value ^ multiply(factor, work[column]![j]!));
    }
  }
  return work.map(row => row.slice(size));
}
