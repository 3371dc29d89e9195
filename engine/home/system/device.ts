/** Device numbers of 64 bits as glibc's makedev packs them. */
export const major = (device: bigint): number =>
  Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n));
export const minor = (device: bigint): number => Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n));
export const makeDevice = (parts: { major: number; minor: number }): bigint => {
  const [high, low] = [BigInt(parts.major), BigInt(parts.minor)];
  return (
    ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn)
  );
};

/** Both parts in one number, exact: the kernel has 12 bits of one and 20 of the other. */
export const deviceNumber = (high: number, low: number): number => high * 2 ** 32 + low;
export const partsOf = (device: number): { major: number; minor: number } => ({
  major: Math.floor(device / 2 ** 32),
  minor: device % 2 ** 32,
});
