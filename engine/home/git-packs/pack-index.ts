const magicBytes = [0xff, 0x74, 0x4f, 0x63] as const;
const version = 2;
const headBytes = 8;
const fanoutBytes = 256 * 4;
/** SHA-1 and SHA-256. */
const hashLengths = [20, 32] as const;
const farBit = 0x80000000;

/** Where the entries of a pack begin. */
export interface PackLayout {
  /** Ascending; bytes from the start of the pack. */
  readonly starts: Float64Array;
  /** Where the last entry ends: the pack's checksum follows. */
  readonly end: number;
  /** Length of an object's name in bytes. */
  readonly hashBytes: number;
}

/**
 * What an index (`.idx`, version 2: gitformat-pack) says of its pack; undefined when it is no such index, or says what no
 * pack of this size can be.
 */
export function readPackIndex(index: Uint8Array, packBytes: number): PackLayout | undefined {
  if (index.length < headBytes + fanoutBytes || magicBytes.some((byte, at) => index[at] !== byte))
    return undefined;
  const view = new DataView(index.buffer, index.byteOffset, index.byteLength);
  if (view.getUint32(4) !== version) return undefined;
  const entries = view.getUint32(headBytes + fanoutBytes - 4);
  for (const hashBytes of hashLengths) {
    const layout = layoutOf(view, { entries, hashBytes, packBytes });
    if (layout) return layout;
  }
  return undefined;
}

function layoutOf(
  view: DataView,
  { entries, hashBytes, packBytes }: { entries: number; hashBytes: number; packBytes: number },
): PackLayout | undefined {
  const offsetsAt = headBytes + fanoutBytes + entries * (hashBytes + 4);
  const farAt = offsetsAt + entries * 4;
  const farBytes = view.byteLength - farAt - 2 * hashBytes;
  if (farBytes < 0 || farBytes % 8 !== 0) return undefined;
  const end = packBytes - hashBytes;
  const starts = new Float64Array(entries);
  for (let i = 0; i < entries; i++) {
    const near = view.getUint32(offsetsAt + 4 * i);
    const isFar = near >= farBit;
    const far = isFar ? near - farBit : 0;
    if (isFar && far * 8 >= farBytes) return undefined;
    starts[i] = isFar ? Number(view.getBigUint64(farAt + 8 * far)) : near;
  }
  starts.sort();
  for (let i = 0; i < entries; i++) {
    const next = i + 1 < entries ? starts[i + 1]! : end;
    if (starts[i]! < packHeadBytes || starts[i]! >= next) return undefined;
  }
  return { starts, end, hashBytes };
}

/** `PACK`, a version and a count come before the first entry. */
const packHeadBytes = 12;
