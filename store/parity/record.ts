import { storeError } from '../errors.ts';
import type { PackId } from '../ids.ts';
import { fieldMap, type RecordCodec } from '../protocol/record-codec.ts';
import { isParity, type Parity } from './code.ts';

export function parityName(pack: PackId): string {
  return `parity/${pack}`;
}

/** The pack that a name under parity/ is of; undefined for other names, which are left alone. */
export function packOfParity(name: string): PackId | undefined {
  return /^parity\/([0-9a-f]{64})$/.exec(name)?.[1] as PackId | undefined;
}

export const parityRecord: RecordCodec<Parity> = {
  encode: ({ packBytes, stripes, checks, sums }) => fieldMap(packBytes, stripes, checks, sums),
  decode(fields, name) {
    const parity = {
      packBytes: fields.integer(1),
      stripes: fields.integer(2),
      checks: fields.bytes(3),
      sums: fields.bytes(4),
    };
    if (isParity(parity)) return parity;
    throw storeError('STORE_DAMAGED', `Cannot read ${name}: its columns do not belong to each other`, {
      context: { object: name },
    });
  },
};
