import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ChunkId, isStoreError } from '../../../store/index.ts';
import { decodeNode, encodeNode, type Node, refsOfNode } from '../../../store/listing/index.ts';
import { CborWriter } from '../../../store/listing/wire.ts';

const id = (byte: number): ChunkId => new Uint8Array(32).fill(byte) as ChunkId;

const leaf: Node = {
  kind: 'listing',
  level: 0,
  entries: [
    { key: Buffer.from('a'), body: Buffer.from([0x01]), contents: [] },
    {
      key: Buffer.from('b'),
      body: Buffer.from([0x02]),
      contents: [
        {
          length: 135,
          extents: [
            { kind: 'chunk', id: id(1), offset: 5, length: 30 },
            { kind: 'hole', length: 100 },
            { kind: 'inline', bytes: Buffer.from('tail!') },
          ],
        },
        { length: 77, list: id(9) },
      ],
    },
  ],
};
const inner: Node = {
  kind: 'listing',
  level: 2,
  branches: [
    { key: Buffer.from('a'), node: id(1), entries: 2 },
    { key: Buffer.from('b'), node: id(2), entries: 3 },
  ],
};
const spans: Node = {
  kind: 'extents',
  level: 1,
  spans: [
    { node: id(3), length: 8 },
    { node: id(3), length: 8 },
  ],
};

/** Buffers and plain arrays of bytes are equal here. */
function plain(node: Node): unknown {
  return JSON.parse(
    JSON.stringify(node, (_, value) =>
      value?.type === 'Buffer' ? value.data : value instanceof Uint8Array ? [...value] : value,
    ),
  );
}

test('a node decodes to what was encoded, and names its chunks', () => {
  for (const node of [leaf, inner, spans]) assert.deepEqual(plain(decodeNode(encodeNode(node))), plain(node));
  assert.deepEqual(
    refsOfNode(encodeNode(leaf)).map(ref => [ref.id[0], ref.kind]),
    [
      [1, 'data'],
      [9, 'node'],
    ],
  );
});

test('ids that begin alike are kept apart, and each is named once', () => {
  const alike = [0, 1, 2].map(last => {
    const bytes = id(7);
    bytes[31] = last;
    return bytes;
  });
  const extents = [...alike, ...alike].map(id => ({ kind: 'chunk' as const, id, offset: 0, length: 1 }));
  const bytes = encodeNode({ kind: 'extents', level: 0, extents });
  assert.deepEqual(plain(decodeNode(bytes)), plain({ kind: 'extents', level: 0, extents }));
  assert.deepEqual(
    refsOfNode(bytes).map(ref => ref.id[31]),
    [0, 1, 2],
  );
});

test('bytes that decode are the only encoding of their node; all others are refused', () => {
  const originals = [leaf, inner, spans].map(encodeNode);
  fc.assert(
    fc.property(
      fc.nat(2),
      fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      (which, changes) => {
        const bytes = Buffer.from(originals[which]!);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        let node: Node;
        try {
          node = decodeNode(bytes);
        } catch (error) {
          assert.ok(isStoreError(error) && error.code === 'STORE_DAMAGED', String(error));
          return;
        }
        assert.deepEqual(Buffer.from(encodeNode(node)), bytes);
      },
    ),
    { numRuns: 3000 },
  );
});

test('a node that ends early or goes on is refused', () => {
  const bytes = encodeNode(leaf);
  for (let length = 0; length < bytes.length; length++)
    assert.throws(() => decodeNode(bytes.subarray(0, length)), { code: 'STORE_DAMAGED' });
  assert.throws(() => decodeNode(Buffer.concat([bytes, Buffer.from([0])])), { code: 'STORE_DAMAGED' });
});

/** A listing leaf with hand-made references and entries. */
function handMade({
  refs = [],
  items,
}: {
  refs?: ChunkId[];
  items: (writer: CborWriter) => void;
}): Uint8Array {
  const writer = new CborWriter().map(6).uint(0).uint(1).uint(1).uint(0).uint(2).uint(0);
  writer.uint(3).bytes(Buffer.concat(refs)).uint(4).bytes(new Uint8Array()).uint(5);
  items(writer);
  return writer.view().slice();
}

test('hostile leaves are refused', () => {
  const entry = (writer: CborWriter, key: string) =>
    writer
      .array(3)
      .bytes(Buffer.from(key))
      .bytes(Buffer.from([1]));
  const content = (write: (writer: CborWriter) => unknown, refs: ChunkId[] = []) =>
    handMade({ refs, items: writer => write(entry(writer.array(1), 'k').array(1)) });
  const hostile: Record<string, Uint8Array> = {
    'keys out of order': handMade({
      items: writer => entry(entry(writer.array(2), 'b').array(0), 'a').array(0),
    }),
    'a key twice': handMade({ items: writer => entry(entry(writer.array(2), 'a').array(0), 'a').array(0) }),
    'a reference out of range': content(w => w.array(1).array(3).uint(1).uint(0).uint(5), [id(1)]),
    'references out of order': content(
      w => w.array(2).array(3).uint(1).uint(0).uint(5).array(3).uint(0).uint(0).uint(5),
      [id(1), id(2)],
    ),
    'an unused reference': content(w => w.array(0), [id(1)]),
    'a reference twice': content(
      w => w.array(2).array(3).uint(0).uint(0).uint(5).array(3).uint(1).uint(0).uint(5),
      [id(1), id(1)],
    ),
    'an empty hole': content(w => w.array(1).uint(0)),
    'two holes side by side': content(w => w.array(2).uint(3).uint(4)),
    'an empty extent': content(w => w.array(1).array(3).uint(0).uint(0).uint(0), [id(1)]),
    'a length that overflows': content(
      w => w.array(2).uint(Number.MAX_SAFE_INTEGER).array(3).uint(0).uint(0).uint(9),
      [id(1)],
    ),
    'an offset that overflows': content(
      w => w.array(1).array(3).uint(0).uint(Number.MAX_SAFE_INTEGER).uint(9),
      [id(1)],
    ),
    'too many inline bytes': content(w => w.array(1).bytes(Buffer.alloc(129))),
    'too many extents in place': content(w => {
      w.array(33);
      for (let i = 0; i < 33; i++) i % 2 === 0 ? w.uint(1) : w.bytes(Buffer.from('x'));
    }),
    'an array longer than all bytes': handMade({ items: writer => writer.array(1_000_000_000) }),
    'references of half an id': handMade({
      refs: [new Uint8Array(16) as ChunkId],
      items: writer => writer.array(0),
    }),
  };
  for (const [what, bytes] of Object.entries(hostile))
    assert.throws(() => decodeNode(bytes), { code: 'STORE_DAMAGED' }, what);
});
