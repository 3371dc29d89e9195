import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { hex, type Randomness } from '../../store/index.ts';
import { outputFailure } from '../output-file.ts';

/** Bytes that are wanted later, kept on disk: as many as there are. */
export interface Spool extends AsyncDisposable {
  add(bytes: Uint8Array): Promise<void>;
  /** No more are added; how many there are. */
  end(): Promise<number>;
  parts(): AsyncIterable<Uint8Array>;
}

const bufferBytes = 64 * 1024;

/** In a file of the folder that has no name any more once it is open, so that nothing of it is ever left. TARGET_FAILED. */
export async function openSpool(folder: string, randomness: Randomness): Promise<Spool> {
  const path = join(folder, `.stillpoint-${hex(randomness.bytes(6))}.part`);
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw outputFailure(error, path);
    }
  };
  const file = await guarded(() => open(path, 'wx+', 0o600));
  await guarded(() => unlink(path));
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let written = 0;

  async function flush(): Promise<void> {
    const bytes = Buffer.concat(held);
    held = [];
    heldBytes = 0;
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await guarded(() => file.write(bytes, at, bytes.length - at, written));
      at += bytesWritten;
      written += bytesWritten;
    }
  }

  return {
    async add(bytes) {
      held.push(bytes);
      heldBytes += bytes.length;
      if (heldBytes >= bufferBytes) await flush();
    },
    async end() {
      await flush();
      return written;
    },
    parts: () => partsOf(file, written),
    async [Symbol.asyncDispose]() {
      await file.close().catch(() => undefined); // it has no name: nothing is lost
    },
  };
}

/** Valid until the next pull. */
async function* partsOf(file: FileHandle, length: number): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafe(bufferBytes);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(buffer, 0, bufferBytes, at);
    if (bytesRead === 0) throw new RangeError('Cannot read back what was written: it is shorter');
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}
