const samplesShift = 9;
const samples = 1 << samplesShift;
/** Pairs of equal samples, where every byte is equally likely: 512 × 511 / 2 / 256. Text has eight times as many. */
const evenPairs = (samples * (samples - 1)) / 2 / 256;
/** Measured: deflated files and random bytes stay below 1.2, instructions of programs are above 3. */
const evenMost = 1.3;
const pairsMost = evenPairs * evenMost;

const counts = new Uint16Array(256);

/**
 * Whether bytes look as if they were compressed or encrypted already, by how often equal ones are met among 512 spread over
 * them. Less than that is no basis: small deflated files side by side do compress.
 */
export function looksDense(bytes: Uint8Array): boolean {
  if (bytes.length < samples) return false;
  counts.fill(0);
  let pairs = 0;
  for (let i = 0, at = 0; i < samples; i++, at += bytes.length) {
    const byte = bytes[at < 2 ** 32 ? at >>> samplesShift : Math.floor(at / samples)]!;
    const met = counts[byte]!;
    counts[byte] = met + 1;
    pairs += met;
    if (pairs >= pairsMost) return false; // text is known by its first half
  }
  return true;
}
