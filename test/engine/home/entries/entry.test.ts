import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeHomeEntry, encodeHomeEntry, type HomeEntry } from '../../../../engine/home/entries/entry.ts';
import { plainBodyReader, plainBodyWriter } from '../../../../engine/home/entries/plain-body.ts';
import type { BytePath } from '../../../../engine/home/paths.ts';
import { major, makeDevice, minor } from '../../../../engine/home/system/device.ts';
import {
  type CborValue,
  type ChunkId,
  type Content,
  decodeCbor,
  encodeCbor,
  StillpointError,
} from '../../../../store/index.ts';

const byteText = (minLength: number, maxLength: number) =>
  fc.uint8Array({ minLength, maxLength }).map(bytes => Buffer.from(bytes).toString('latin1') as BytePath);
const name = byteText(1, 20)
  .map(text => text.replaceAll('\0', '_').replaceAll('/', '_') as BytePath)
  .filter(text => text !== '.' && text !== '..');
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map(names => names.join('/') as BytePath);
const u32 = fc.integer({ min: 0, max: 0xffffffff });
/** The last number is nobody's. */
const owner = fc.integer({ min: 0, max: 0xfffffffe });
const int64 = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);

const common = fc.record(
  {
    path,
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: owner,
    gid: owner,
    mtimeNs: int64,
    ctimeNs: int64,
    inode: fc.bigInt(0n, 2n ** 64n - 1n),
    fileSystem: fc.integer({ min: 0, max: 0xffff }),
    xattrs: fc.uniqueArray(
      fc.record(
        {
          name: byteText(1, 10).map(text => text.replaceAll('\0', 'x') as BytePath),
          value: byteText(0, 40),
        },
        { noNullPrototype: true },
      ),
      { maxLength: 3, selector: xattr => xattr.name },
    ),
    unsettled: fc.boolean(),
    linked: fc.boolean(),
  },
  { noNullPrototype: true },
);
const absent = {
  target: undefined,
  device: undefined,
  content: undefined,
  fileSystems: undefined,
  owners: undefined,
  rules: undefined,
};
const content: Content = {
  length: 9,
  extents: [{ kind: 'chunk', id: new Uint8Array(32) as ChunkId, offset: 0, length: 9 }],
};

const entry = fc.oneof(
  common.map((base): HomeEntry => ({ ...base, ...absent, kind: 'file', content })),
  common.map((base): HomeEntry => ({ ...base, ...absent, kind: 'fifo' })),
  fc
    .tuple(
      common,
      byteText(1, 30).map(text => text.replaceAll('\0', 'x') as BytePath),
    )
    .map(([base, target]): HomeEntry => ({ ...base, ...absent, kind: 'link', target })),
  fc.tuple(common, u32, u32).map(
    ([base, high, low]): HomeEntry => ({
      ...base,
      ...absent,
      kind: 'blockDevice',
      device: { major: high, minor: low },
    }),
  ),
  common.map(
    (base): HomeEntry => ({
      ...base,
      ...absent,
      path: '' as BytePath,
      kind: 'folder',
      fileSystems: [
        { type: 'ext4', id: '00ff' },
        { type: 'nfs', id: null },
      ],
      owners: { users: new Map([[0, 'root']]), groups: new Map([[5, 'grüße']]) },
      rules: new Uint8Array([1, 2, 3]),
    }),
  ),
);

test('an entry comes back as it was, and its body is deterministic CBOR', () => {
  fc.assert(
    fc.property(entry, given => {
      const encoded = encodeHomeEntry(given);
      assert.deepEqual(decodeHomeEntry(encoded), given);
      assert.deepEqual(Buffer.from(encoded.body), Buffer.from(encodeCbor(decodeCbor(encoded.body))));
    }),
  );
});

test('a body with any one value changed is read as another entry or refused as damage, never otherwise', () => {
  const values: CborValue[] = [
    null,
    true,
    -1,
    2 ** 40,
    2n ** 62n,
    'text',
    new Uint8Array([0]),
    [],
    [[1]],
    new Map(),
  ];
  fc.assert(
    fc.property(entry, fc.integer({ min: 0, max: 16 }), fc.constantFrom(...values), (given, field, value) => {
      const encoded = encodeHomeEntry(given);
      const body = new Map(decodeCbor(encoded.body) as ReadonlyMap<number, CborValue>).set(field, value);
      try {
        decodeHomeEntry({ ...encoded, body: encodeCbor(body) });
      } catch (error) {
        assert(error instanceof StillpointError && error.code === 'STORE_DAMAGED', String(error));
      }
    }),
  );
});

test('any bytes in place of a body are damage', () => {
  const given = encodeHomeEntry(fc.sample(entry, { numRuns: 1, seed: 1 })[0]!);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), body => {
      assert.throws(() => decodeHomeEntry({ ...given, body }), { code: 'STORE_DAMAGED' });
    }),
  );
});

test('device numbers are taken apart and put together as the C library does', () => {
  for (const [device, high, low] of [
    [0x103n, 1, 3],
    [0x12345678n, 0x456, 0x12378],
    [2n ** 64n - 1n, 0xffffffff, 0xffffffff],
  ] as const) {
    assert.deepEqual([major(device), minor(device)], [high, low]);
    assert.equal(makeDevice({ major: high, minor: low }), device);
  }
});

test('the quick reader of bodies says what the other one says, or nothing', () => {
  const read = plainBodyReader();
  const most = 2n ** 62n - 1n;
  let plain = 0;
  const agrees = (
    body: Uint8Array,
    whole: Pick<HomeEntry, 'kind'> & { key: Uint8Array; contents: Content[] },
  ) => {
    const quick = read(body);
    if (!quick) return false;
    assert.equal(quick.kind, whole.kind);
    const slow = decodeHomeEntry({ key: whole.key, body, contents: whole.contents });
    for (const [name, value] of Object.entries(quick))
      assert.equal(slow[name as keyof HomeEntry], value, name);
    assert.deepEqual(
      [slow.xattrs, slow.fileSystems, slow.owners, slow.rules],
      [[], undefined, undefined, undefined],
    );
    return true;
  };
  fc.assert(
    fc.property(entry, fc.boolean(), fc.nat(), fc.nat(255), (given, bare, place, byte) => {
      const common = {
        xattrs: [],
        mtimeNs: given.mtimeNs & most,
        ctimeNs: given.ctimeNs & most,
        inode: given.inode & most,
      };
      const { key, body, contents } = encodeHomeEntry(bare ? { ...given, ...common } : given);
      const whole = { kind: given.kind, key, contents: [...contents] };
      const isPlain = agrees(body, whole);
      if (isPlain) plain++;
      // what nearly every file has is read quickly
      const few =
        given.kind !== 'file' || given.mtimeNs < 0n || given.ctimeNs < 0n || given.inode >= 2n ** 63n;
      if (bare) assert.equal(isPlain || few, true);
      const changed = new Uint8Array(body);
      changed[place % body.length] = byte;
      if (read(changed)?.kind === given.kind) agrees(changed, whole);
      const cut = body.subarray(0, place % body.length);
      assert.equal(read(cut), undefined);
    }),
    { numRuns: 2_000 },
  );
  assert.ok(plain > 100, `${plain} of 2,000`);
});

test('the quick writer of bodies writes what the other one writes, or nothing', () => {
  const write = plainBodyWriter();
  let plain = 0;
  fc.assert(
    fc.property(entry, given => {
      const one = { ...given, xattrs: [], target: undefined, device: undefined };
      const body = write(one);
      const isOdd = one.mtimeNs < 0n || one.ctimeNs < 0n || one.inode >= 2n ** 63n;
      assert.equal(body === undefined, isOdd);
      if (!body) return;
      plain++;
      const { fileSystems: _a, owners: _b, rules: _c, ...bare } = one;
      assert.deepEqual(body, encodeHomeEntry(bare).body);
    }),
    { numRuns: 2_000 },
  );
  assert.ok(plain > 100, `${plain} of 2,000`);
});
