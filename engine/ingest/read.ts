import {
  type ChunkSource,
  type Content,
  type Extent,
  extentsOf,
  hex,
  storeError,
} from '../../store/index.ts';

/** A piece of content in order. The bytes may be kept, but not written into: others may have them, too. */
export type ContentPart =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'hole'; readonly length: number };

/** Reads stored content from its beginning; each chunk is checked against its id. */
export async function* readContent(source: ChunkSource, content: Content): AsyncIterable<ContentPart> {
  for await (const extent of extentsOf(source, content)) yield await readExtent(source, extent);
}

/** Reads one extent; a chunk is checked against its id. */
export async function readExtent(source: ChunkSource, extent: Extent): Promise<ContentPart> {
  if (extent.kind === 'inline') return { kind: 'bytes', bytes: extent.bytes };
  if (extent.kind === 'hole') return extent;
  const chunk = await source.get(extent.id, 'data');
  if (extent.offset + extent.length > chunk.length)
    throw damaged(
      `chunk ${hex(extent.id)} has ${chunk.length} bytes, and ${extent.offset + extent.length} are asked for`,
    );
  return { kind: 'bytes', bytes: chunk.subarray(extent.offset, extent.offset + extent.length) };
}

const damaged = (state: string): Error => storeError('STORE_DAMAGED', `Cannot read content: ${state}`);

/**
 * The whole content as one buffer. Holes become zeros. STORE_DAMAGED where it is longer than what it is for can be, so
 * that nobody is made to hold a hole of a terabyte.
 */
export async function contentBytes(
  source: ChunkSource,
  content: Content,
  { bytesMax }: { readonly bytesMax: number },
): Promise<Uint8Array> {
  if (content.length > bytesMax)
    throw damaged(`it has ${content.length} bytes, at most ${bytesMax} are plausible`);
  const whole = new Uint8Array(content.length);
  let at = 0;
  for await (const part of readContent(source, content)) {
    if (part.kind === 'bytes') whole.set(part.bytes, at);
    at += part.kind === 'bytes' ? part.bytes.length : part.length;
  }
  return whole;
}

const zeros = new Uint8Array(256 * 1024);

/** The bytes of a content, holes as zeros. Each part is valid until the next pull. */
export async function* contentParts(source: ChunkSource, content: Content): AsyncGenerator<Uint8Array> {
  for await (const part of readContent(source, content)) {
    if (part.kind === 'bytes') yield part.bytes;
    else
      for (let left = part.length; left > 0; left -= zeros.length)
        yield zeros.subarray(0, Math.min(left, zeros.length));
  }
}
