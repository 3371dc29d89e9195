import { storeError } from '../../../../store/index.ts';
import { endOfObject, pageBytes } from '../sql/large-object-pages.ts';

const readWriteMode = 0x60000;
const perStatement = 64;

/** Pages of large objects, as COPY text, as calls that fill the objects, which exist. */
export async function* pageStatements(rows: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const empty: string[] = [];
  let calls: string[] = [];
  let rest = '';
  for await (const bytes of rows) {
    const lines = `${rest}${Buffer.from(bytes).toString('latin1')}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const [, object, page, data] = /^(\d+)\t(\d+)\t\\\\x([0-9a-f]*)$/.exec(line) ?? [];
      if (object === undefined || page === undefined || data === undefined)
        throw storeError('STORE_DAMAGED', 'Cannot write large objects as SQL: a page is none');
      const from = Number(page) * pageBytes;
      if (data === '') empty.push(lengthen(object, from));
      else calls.push(`pg_catalog.lo_put(${object}, ${from}, '\\x${data}')`);
      if (calls.length < perStatement) continue;
      yield `SELECT ${calls.join(', ')};\n`;
      calls = [];
    }
  }
  if (calls.length > 0) yield `SELECT ${calls.join(', ')};\n`;
  // An empty page at the end is an object that was lengthened up to it; one in the middle reads as zeros anyway.
  yield* empty;
}

function lengthen(object: string, size: number): string {
  return `SELECT pg_catalog.lo_truncate64(o.fd, ${size}) FROM (SELECT pg_catalog.lo_open(${object}, ${readWriteMode}) AS fd OFFSET 0) o
  WHERE pg_catalog.lo_lseek64(o.fd, 0, ${endOfObject}) < ${size};\n`;
}
