import { Columnwise, hexOf, type RememberOptions } from './columnwise.ts';
import { alignBytes, type RememberedFacts, rememberedForm } from './remembered-form.ts';
import { type ColumnName, columnNames } from './table.ts';

/**
 * The rows of a listing as `loadBase` would make them of it, in a form that need not be decoded: the columns one after the
 * other, then names and contents, then what is rare. One column is in memory at a time.
 */
export function* rememberedRows(options: RememberOptions): Generator<Uint8Array, void> {
  const { order } = options;
  const said: Record<string, readonly [number, number]> = {};
  let at = 0;
  const told = function* (name: string, pieces: Iterable<Uint8Array>): Generator<Uint8Array, void> {
    const from = at;
    for (const piece of pieces) {
      at += piece.length;
      yield piece;
    }
    said[name] = [from, at - from];
    const rest = -at & (alignBytes - 1);
    if (rest > 0) yield new Uint8Array(rest);
    at += rest;
  };
  const written = new Columnwise(options);
  for (const name of columnNames) if (!made.has(name)) yield* told(name, [written.plain(name)]);
  yield* told('fileSystem', [written.fileSystems()]);
  yield* told('xattrSet', [written.xattrSets()]);
  yield* told('nlink', [written.links()]);
  yield* told('flags', [written.flagsAndEnds()]);
  yield* told('names', written.names());
  yield* told('nameAt', [written.nameAt()]);
  yield* told('contents', written.contents());
  yield* told('detail', [written.detail()]);
  const facts: RememberedFacts = {
    count: order.count,
    rootBody: hexOf(options.rootBody),
    places: said,
    ...written.rare(),
  };
  const text = Buffer.from(JSON.stringify(facts));
  yield text;
  const end = new Uint32Array([text.length, rememberedForm]);
  yield new Uint8Array(end.buffer);
}

const made: ReadonlySet<ColumnName> = new Set([
  'fileSystem',
  'xattrSet',
  'nlink',
  'flags',
  'nameAt',
  'detail',
]);
