const samples = 512;
/** Pairs of equal samples, where every byte is equally likely: 512 × 511 / 2 / 256. Text has eight times as many. */
const evenPairs = (samples * (samples - 1)) / 2 / 256;
/** Measured: deflated files and random bytes stay below 1.2, instructions of programs are above 3. */
const evenMost = 1.3;

const counts = new Uint16Array(256);

/**
 * Whether bytes look as if they were compressed or encrypted already, by how often equal ones are met among 512 spread over
 * them. Less than that is no basis: small deflated files side by side do compress.
 */
export function looksDense(bytes: Uint8Array): boolean {
  if (bytes.length < samples) return false;
  counts.fill(0);
  const step = bytes.length / samples;
  let pairs = 0;
  for (let i = 0; i < samples; i++) {
    const byte = bytes[Math.floor(i * step)]!;
    pairs += counts[byte]!;
    counts[byte] = counts[byte]! + 1;
  }
  return pairs < evenPairs * evenMost;
}
