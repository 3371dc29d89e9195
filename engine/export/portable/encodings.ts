import { engineError } from '../../errors.ts';

const latin = (label: string) => ({ label, isLatin: true });
const other = (label: string) => ({ label, isLatin: false });

/** What the encodings of PostgreSQL are called on the web. Those of ISO 8859 have control characters where Windows has letters. */
const labels: Readonly<Record<string, { readonly label: string; readonly isLatin: boolean }>> = {
  LATIN1: latin('latin1'),
  LATIN2: latin('iso-8859-2'),
  LATIN3: latin('iso-8859-3'),
  LATIN4: latin('iso-8859-4'),
  LATIN5: latin('iso-8859-9'),
  LATIN6: latin('iso-8859-10'),
  LATIN7: latin('iso-8859-13'),
  LATIN8: latin('iso-8859-14'),
  LATIN9: latin('iso-8859-15'),
  LATIN10: latin('iso-8859-16'),
  ISO_8859_5: latin('iso-8859-5'),
  ISO_8859_6: latin('iso-8859-6'),
  ISO_8859_7: latin('iso-8859-7'),
  ISO_8859_8: latin('iso-8859-8'),
  KOI8R: other('koi8-r'),
  KOI8U: other('koi8-u'),
  WIN866: other('ibm866'),
  WIN874: other('windows-874'),
  ...Object.fromEntries([0, 1, 2, 3, 4, 5, 6, 7, 8].map(n => [`WIN125${n}`, other(`windows-125${n}`)])),
  EUC_JP: other('euc-jp'),
  EUC_KR: other('euc-kr'),
  EUC_CN: other('gbk'),
};

/** Rows in UTF-8. DATABASE_UNSUPPORTED for an encoding that nothing here knows, and for bytes that are none of it. */
export async function* inUtf8(rows: AsyncIterable<Uint8Array>, encoding: string): AsyncGenerator<Uint8Array> {
  const known = labels[encoding];
  if (encoding === 'UTF8') {
    yield* rows;
    return;
  }
  if (!known && encoding !== 'SQL_ASCII') throw unknown(encoding);
  const decode = known?.isLatin ? latinDecoder(known.label) : streamDecoder(known?.label ?? 'utf-8');
  try {
    for await (const bytes of rows) yield Buffer.from(decode(bytes), 'utf8');
    yield Buffer.from(decode(undefined), 'utf8');
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw engineError('DATABASE_UNSUPPORTED', `Cannot write rows as UTF-8: some are no text in ${encoding}`, {
      remedy: 'Export without --portable: that keeps every byte as it is.',
      cause,
    });
  }
}

type Decode = (bytes: Uint8Array | undefined) => string;

function streamDecoder(label: string): Decode {
  const decoder = new TextDecoder(label, { fatal: true, ignoreBOM: true });
  return bytes => decoder.decode(bytes, { stream: bytes !== undefined });
}

function latinDecoder(label: string): Decode {
  const decoder = new TextDecoder(label);
  const table = Array.from({ length: 256 }, (_, byte) =>
    byte < 0xa0 || label === 'latin1' ? String.fromCharCode(byte) : decoder.decode(Uint8Array.of(byte)),
  );
  return bytes => {
    let text = '';
    for (const byte of bytes ?? []) {
      const letter = table[byte]!;
      if (letter === '\ufffd') throw new TypeError(`no letter: ${byte}`);
      text += letter;
    }
    return text;
  };
}

const unknown = (encoding: string): Error =>
  engineError(
    'DATABASE_UNSUPPORTED',
    `Cannot write rows as UTF-8: the database has the encoding ${encoding}`,
    {
      remedy: 'Export without --portable: that keeps every byte as it is.',
    },
  );
