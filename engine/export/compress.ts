import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { loadZstd } from '../../store/index.ts';
import type { ByteSink } from './archive.ts';

export type Compression = 'zstd' | 'gzip' | 'none';

/** Frames and members of so many bytes, one after the other, are one stream to every reader. */
const pieceBytes = 4 * 1024 * 1024;

export interface EndingSink extends ByteSink {
  /** Writes what is held back. */
  end(): Promise<void>;
}

/** Compresses what comes, piece by piece; never holds more than one. */
export async function compressing(sink: ByteSink, compression: Compression): Promise<EndingSink> {
  if (compression === 'none') return { write: bytes => sink.write(bytes), end: async () => undefined };
  const compress = await compressorOf(compression);
  const piece = Buffer.allocUnsafe(pieceBytes);
  let held = 0;
  const flush = async (): Promise<void> => {
    if (held === 0) return;
    await sink.write(await compress(piece.subarray(0, held)));
    held = 0;
  };
  return {
    async write(bytes) {
      for (let at = 0; at < bytes.length; ) {
        const count = Math.min(bytes.length - at, pieceBytes - held);
        piece.set(bytes.subarray(at, at + count), held);
        held += count;
        at += count;
        if (held === pieceBytes) await flush();
      }
    },
    end: flush,
  };
}

async function compressorOf(
  compression: Exclude<Compression, 'none'>,
): Promise<(bytes: Uint8Array) => Promise<Uint8Array> | Uint8Array> {
  if (compression === 'gzip') return promisify(gzip);
  const zstd = await loadZstd();
  return bytes => zstd.compress(bytes);
}
