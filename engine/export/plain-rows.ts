import { storeError } from '../../store/index.ts';
import type { RelationName } from '../database/postgres/entries/entry-parts.ts';

const newline = 10;
const endMark = Buffer.from('\n\\.', 'latin1');

/**
 * Rows as they are, once no line of them is psql's end of data: a server writes every backslash twice, so that only who
 * forged them has one, and what followed it psql would run. STORE_DAMAGED.
 */
export async function* plainRows(
  { schema, name }: RelationName,
  rows: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  // The end of what came before, as if a row had ended there at first.
  let tail = Buffer.from('\n', 'latin1');
  for await (const bytes of rows) {
    if (bytes.length === 0) continue;
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const seam = Buffer.concat([tail, buffer.subarray(0, endMark.length - 1)]);
    if (seam.includes(endMark) || buffer.includes(endMark)) throw forged({ schema, name });
    const end = Buffer.concat([tail, buffer.subarray(Math.max(0, buffer.length - endMark.length + 1))]);
    tail = end.subarray(Math.max(0, end.length - endMark.length + 1));
    yield bytes;
  }
  if (tail[tail.length - 1] !== newline) throw forged({ schema, name });
}

const forged = ({ schema, name }: RelationName): Error =>
  storeError(
    'STORE_DAMAGED',
    `Cannot export table ${schema}.${name}: its rows are none that a server writes`,
    {
      remedy: 'Find out who wrote this snapshot before you use it.',
    },
  );
