import { type ChunkSource, type Content, extentsOf } from '../../store/index.ts';

/** A piece of content in order. The bytes are valid until the next pull. */
export type ContentPart =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'hole'; readonly length: number };

/** Reads stored content from its beginning; each chunk is checked against its id. */
export async function* readContent(source: ChunkSource, content: Content): AsyncIterable<ContentPart> {
  for await (const extent of extentsOf(source, content)) {
    switch (extent.kind) {
      case 'inline':
        yield { kind: 'bytes', bytes: extent.bytes };
        break;
      case 'hole':
        yield extent;
        break;
      case 'chunk': {
        const chunk = await source.get(extent.id, 'data');
        yield { kind: 'bytes', bytes: chunk.subarray(extent.offset, extent.offset + extent.length) };
        break;
      }
      default:
        extent satisfies never;
    }
  }
}

/** The whole content as one buffer; only for content known to be small. Holes become zeros. */
export async function contentBytes(source: ChunkSource, content: Content): Promise<Uint8Array> {
  const whole = new Uint8Array(content.length);
  let at = 0;
  for await (const part of readContent(source, content)) {
    if (part.kind === 'bytes') whole.set(part.bytes, at);
    at += part.kind === 'bytes' ? part.bytes.length : part.length;
  }
  return whole;
}
