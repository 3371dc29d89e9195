/**
 * What structured data is made of. Maps have small unsigned integer keys. An integer comes back as a number where a
 * number holds it exactly, else as a bigint; both are encoded alike.
 */
export type CborValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly CborValue[]
  | ReadonlyMap<number, CborValue>;

export { decodeCbor } from './cbor-decode.ts';
export { encodeCbor } from './cbor-encode.ts';
