/** The bytes are no zstd frame of the expected length. The store makes STORE_DAMAGED of it. */
export class CompressionError extends Error {
  override readonly name = 'CompressionError';
}

const magic = 0xfd2fb528;
const blockHeaderBytes = 3;

/**
 * Refuses, with a CompressionError, whatever is not exactly one zstd frame that announces rawLength bytes: no
 * dictionary, no reserved bits, nothing after it. It walks the block headers only, so the content may still be corrupt.
 * The libraries differ in what they let pass (Node's ignores bytes after a frame, others take several frames or an
 * empty input) and in what they allocate for what a frame announces; after this check they agree.
 * Source: RFC 8878, section 3.1.1.
 */
export function checkZstdFrame(bytes: Uint8Array, rawLength: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const need = (end: number): void => {
    if (end > bytes.length)
      throw new CompressionError(`Cannot decompress: frame of ${bytes.length} bytes is cut off`);
  };
  need(5);
  if (view.getUint32(0, true) !== magic) throw new CompressionError('Cannot decompress: no zstd frame');
  const descriptor = bytes[4]!;
  if ((descriptor & 0b1011) !== 0)
    throw new CompressionError('Cannot decompress: frame has a dictionary or reserved bits');
  const isSingleSegment = (descriptor & 0b10_0000) !== 0;
  const sizeCode = descriptor >>> 6;
  const sizeBytes = sizeCode === 0 && isSingleSegment ? 1 : sizeCode === 0 ? 0 : 2 ** sizeCode;
  let at = isSingleSegment ? 5 : 6;
  need(at + sizeBytes);
  const announced = readSize(view, { at, sizeBytes });
  if (announced !== rawLength)
    throw new CompressionError(`Cannot decompress: frame announces ${announced} bytes, need ${rawLength}`);
  at += sizeBytes;
  for (let isLast = false; !isLast; ) {
    need(at + blockHeaderBytes);
    const header = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    isLast = (header & 1) === 1;
    const isRepeatedByte = ((header >>> 1) & 3) === 1;
    at += blockHeaderBytes + (isRepeatedByte ? 1 : header >>> 3);
  }
  const hasChecksum = (descriptor & 0b100) !== 0;
  at += hasChecksum ? 4 : 0;
  need(at);
  if (at < bytes.length)
    throw new CompressionError(`Cannot decompress: ${bytes.length - at} bytes after the frame`);
}

/** The content size that a frame announces; undefined when it does not. */
function readSize(view: DataView, field: { at: number; sizeBytes: number }): number | undefined {
  switch (field.sizeBytes) {
    case 1:
      return view.getUint8(field.at);
    case 2:
      return view.getUint16(field.at, true) + 256;
    case 4:
      return view.getUint32(field.at, true);
    case 8:
      return Number(view.getBigUint64(field.at, true));
    default:
      return undefined;
  }
}
