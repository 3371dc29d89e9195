/** Brands keep ids of different things apart at compile time; at run time they are plain bytes or strings. */
declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** Keyed BLAKE3-256 of a chunk's plaintext: 32 bytes. */
export type ChunkId = Branded<Uint8Array, 'ChunkId'>;
/** 64 lower-case hex digits: 16 bytes of the session, 16 random. */
export type PackId = Branded<string, 'PackId'>;
/** 64 lower-case hex digits: one run's session, intent and manifest share one. */
export type SessionId = Branded<string, 'SessionId'>;
/** 64 lower-case hex digits: names `manifests/<id>`; equal to the id of the session that committed it. */
export type SnapshotId = Branded<string, 'SnapshotId'>;
/** 64 lower-case hex digits: identifies a store; chosen at init, part of every seal. */
export type StoreId = Branded<string, 'StoreId'>;

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

export function fromHex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}
