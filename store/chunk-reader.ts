import type { ChunkIndex, ChunkPlace } from './chunk-index/chunk-index.ts';
import { failedRead, type StoreProblem } from './chunk-index/masks.ts';
import type { ChunkClass } from './content.ts';
import type { StoreContext } from './context.ts';
import { isBeyondUs, isStoreError, storeError } from './errors.ts';
import { type ChunkId, hex } from './ids.ts';
import type { FrameReader } from './pack/reader.ts';

export interface ChunkQuestion {
  readonly id: ChunkId;
  readonly chunkClass: ChunkClass;
}

/** What reading a chunk came to: bytes, or why no copy of it could be read; without an error there is none listed. */
export type ChunkAnswer = { readonly bytes: Uint8Array } | { readonly error: Error | undefined };

/** Tries every copy of a chunk until one is whole: checked against all 32 bytes of the id. */
export async function readChunk(
  { context, frames, index }: { context: StoreContext; frames: FrameReader; index: ChunkIndex },
  { id, chunkClass }: ChunkQuestion,
): Promise<ChunkAnswer> {
  let error: Error | undefined;
  for (const place of index.places(id)) {
    if (place.chunkClass !== chunkClass) continue;
    try {
      const frame = await frames.read(place);
      return { bytes: checkChunk(context, { id, chunkClass }, { frame, place }) };
    } catch (failure) {
      if (!isStoreError(failure) || isBeyondUs(failure)) throw failure;
      error ??= failure;
    }
  }
  return { error };
}

function checkChunk(
  context: StoreContext,
  { id, chunkClass }: ChunkQuestion,
  { frame, place }: { frame: Uint8Array; place: ChunkPlace },
): Uint8Array {
  const bytes = frame.subarray(place.offset, place.offset + place.length);
  if (Buffer.compare(context.idOf(bytes, chunkClass), id) === 0) return bytes;
  throw storeError('STORE_DAMAGED', `Cannot read chunk ${hex(id)}: its bytes do not match its id`, {
    remedy: 'Run `stillpoint verify --read-data` to see what is affected.',
    context: { pack: place.pack, frame: place.ordinal },
  });
}

/** Without what the medium failed to read of the index, nobody knows that a chunk is missing. */
export function chunkMissing(
  { id, chunkClass }: ChunkQuestion,
  { backend }: StoreContext,
  { problems = [] }: { readonly problems?: readonly StoreProblem[] } = {},
): Error {
  const failure = failedRead(problems);
  if (failure !== undefined)
    return storeError(
      'STORE_READ_FAILED',
      `Cannot find ${chunkClass} chunk ${hex(id)}: the medium failed to read what may list it: ${failure.message}`,
      {
        remedy: `Look at the medium at ${backend.location}, and try again.`,
        context: { ...failure.context, chunk: hex(id) },
        cause: failure,
      },
    );
  return storeError(
    'STORE_OBJECT_MISSING',
    `Cannot read ${chunkClass} chunk ${hex(id)}: no pack in ${backend.location} has it`,
    {
      remedy: 'Run `stillpoint verify` to see what is affected.',
      context: { chunk: hex(id) },
    },
  );
}
