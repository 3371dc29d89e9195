import * as crypto from 'node:crypto';
import { Zstd } from '@hpcc-js/wasm-zstd';
import { decode } from 'cborg';
import { argon2id, createBLAKE3 } from 'hash-wasm';

/**
 * A reader written from store/FORMAT.md alone: it imports nothing of the project, so that the document and the program
 * can be held against each other. It reads what is whole; it does not look for all damage.
 */

type Bytes = Uint8Array;
export type Fields = Map<number, unknown>;

/** Objects by name. */
export interface Medium {
  names(): Iterable<string>;
  get(name: string): Bytes;
}

export interface ReadExtent {
  readonly length: number;
  /** Undefined: a hole. */
  readonly bytes: Bytes | undefined;
}

export interface ReadEntry {
  readonly key: Bytes;
  readonly body: Bytes;
  readonly contents: readonly { readonly length: number; extents(): Generator<ReadExtent> }[];
}

function must(condition: boolean, state: string): asserts condition {
  if (!condition) throw new Error(`second reader: ${state}`);
}
const none: Bytes = new Uint8Array();
const hex = (bytes: Bytes): string => Buffer.from(bytes).toString('hex');
const same = (a: Bytes, b: Bytes): boolean => Buffer.compare(a, b) === 0;
const u16 = (value: number): Bytes => Uint8Array.of(value & 255, value >> 8);
const u32 = (bytes: Bytes, at: number): number => Buffer.from(bytes).readUInt32LE(at);
const concat = (...parts: Bytes[]): Bytes => Buffer.concat(parts);
const ascii = (text: string): Bytes => Buffer.from(text, 'latin1');
const hkdf = (secret: Bytes, salt: Bytes, label: string, length = 32): Bytes =>
  new Uint8Array(crypto.hkdfSync('sha256', secret, salt, `stillpoint/v1/${label}`, length));
const structured = (bytes: Bytes): unknown =>
  decode(bytes, { useMaps: true, strict: true, rejectDuplicateMapKeys: true });
const blake3 = await createBLAKE3();
const hash = (bytes: Bytes): Bytes => blake3.init().update(bytes).digest('binary');
const keyed = async (key: Bytes): Promise<(bytes: Bytes) => Bytes> => {
  const hasher = await createBLAKE3(256, key);
  return bytes => hasher.init().update(bytes).digest('binary');
};
/** Section 1: the first 16 bytes of the hash of all that precedes. */
const isChecked = (bytes: Bytes, at: number): boolean =>
  same(hash(bytes.subarray(0, at)).subarray(0, 16), bytes.subarray(at, at + 16));

// Section 3

const kindNames =
  'ring data-pack metadata-pack index manifest aborted session heartbeat intent generation sweep done forgotten damage ledger hold parity';
const purposes: Record<string, string> = {
  ring: 'ring',
  'data-pack': 'data',
  'metadata-pack': 'metadata',
  manifest: 'metadata',
  ledger: 'metadata',
  hold: 'metadata',
};

/** The header's fields. */
export function headerOf(bytes: Bytes) {
  must(
    isChecked(bytes, 80) && hex(bytes.subarray(0, 5)) === '8953747001',
    'check, magic or version of a header',
  );
  must(bytes[7] === 0 && u32(bytes, 12) === 0, 'zeros of a header');
  const kind = kindNames.split(' ')[bytes[5]! - 1]!;
  return { kind, kem: bytes[6]!, epoch: u32(bytes, 8), random: bytes.slice(48, 80) };
}

/** Opens parts and records, given the store id and an epoch's secret (for a ring: the ring key). */
export function opener(storeId: Bytes, secretOf: (epoch: number) => Bytes) {
  const context = (object: Bytes, name: string): Bytes =>
    concat(object.subarray(0, 96), storeId, u16(name.length), ascii(name));

  function part(object: Bytes, name: string, { ordinal, sealed }: { ordinal: bigint; sealed: Bytes }): Bytes {
    const { kind, kem, epoch, random } = headerOf(object);
    const purposeKey = hkdf(secretOf(epoch), none, `purpose/${purposes[kind] ?? 'index'}`);
    const secret = kem === 0 ? purposeKey : decapsulate(purposeKey, random);
    const key = hkdf(secret, random, `object/${kind}`, 64).subarray(0, 32);
    const place = Buffer.alloc(8);
    place.writeBigUInt64LE(ordinal);
    return openGcm(key, sealed, concat(context(object, name), place));
  }

  /** Section 8. */
  function record(object: Bytes, name: string, sealed = object.subarray(96)): Fields {
    const plain = part(object, name, { ordinal: 0n, sealed });
    must(plain[0] === 64, `${name} is not signed`);
    const body = plain.subarray(65);
    const seed = hkdf(secretOf(headerOf(object).epoch), none, 'signing/ed25519');
    const message = concat(ascii('stillpoint/v1/signature\0'), context(object, name), body);
    const holder = crypto.createPublicKey(privateKey('302e020100300506032b657004220420', seed));
    must(crypto.verify(null, message, holder, plain.subarray(1, 65)), `signature of ${name}`);
    const fields = structured(body) as Fields;
    must((fields.get(0) as unknown[]).length === 0, `${name} needs a feature`);
    return fields;
  }
  return { part, record };
}

function openGcm(key: Bytes, sealed: Bytes, aad: Bytes): Bytes {
  const decipher = crypto.createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12));
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(-16));
  return concat(decipher.update(sealed.subarray(12, -16)), decipher.final());
}

function privateKey(prefix: string, key: Bytes): crypto.KeyObject {
  const der = Buffer.concat([Buffer.from(prefix, 'hex'), key]);
  return crypto.createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}

function decapsulate(purposeKey: Bytes, random: Bytes): Bytes {
  const own = privateKey('302e020100300506032b656e04220420', hkdf(purposeKey, none, 'kem/x25519'));
  const der = Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), random]);
  const sender = crypto.createPublicKey({ key: der, format: 'der', type: 'spki' });
  const recipient = crypto.createPublicKey(own).export({ format: 'der', type: 'spki' }).subarray(-32);
  const shared = crypto.diffieHellman({ privateKey: own, publicKey: sender });
  return hkdf(shared, concat(random, recipient), 'kem/x25519/secret');
}

// Section 4

/** Keys that the passphrase gives, from slots that wrap the ring key of this number. */
async function* ringKeys(
  medium: Medium,
  { number, storeId, passphrase }: RingQuestion,
): AsyncGenerator<Bytes> {
  const password = Buffer.from(passphrase.normalize('NFC'));
  for (const name of medium.names()) {
    if (!/^keys\/[0-9a-f]{64}$/.test(name)) continue;
    const slot = medium.get(name);
    must(
      isChecked(slot, 220) && hex(slot.subarray(0, 5)) === '8953746b01',
      `check, magic or version of ${name}`,
    );
    if (u32(slot, 20) !== number) continue;
    const salt = slot.slice(32, 64);
    const [first, second, lanes] = [u32(slot, 8), u32(slot, 12), u32(slot, 16)];
    const sizes = { memorySize: first, iterations: second, parallelism: lanes, hashLength: 32 };
    const stretched =
      slot[5] === 1
        ? await argon2id({ password, salt, ...sizes, outputType: 'binary' })
        : crypto.scryptSync(password, salt, 32, { N: first, r: second, p: lanes, maxmem: 2 ** 31 - 1 });
    if (!same(hkdf(stretched, salt, 'slot/commitment'), slot.subarray(64, 96))) continue;
    const aad = concat(slot.subarray(0, 160), storeId, u16(name.length), ascii(name));
    yield openGcm(hkdf(stretched, salt, 'slot/wrap'), slot.subarray(160, 220), aad);
  }
}

/** What the ring seals, under the first key that opens it. */
async function ringBody(medium: Medium, ringName: string, question: Omit<RingQuestion, 'number'>) {
  const ring = medium.get(ringName);
  const sealed = { ordinal: 0n, sealed: ring.subarray(96) };
  for await (const key of ringKeys(medium, { ...question, number: u32(ring, 8) })) {
    try {
      return opener(question.storeId, () => key).part(ring, ringName, sealed);
    } catch {
      // of a rotation that lost to another
    }
  }
  throw new Error('second reader: the passphrase opens no slot');
}

interface RingQuestion {
  readonly number: number;
  readonly storeId: Bytes;
  readonly passphrase: string;
}

// Sections 6 to 9

interface Frame {
  readonly pack: string;
  readonly ordinal: number;
  readonly sealedAt: number;
  readonly sealed: number;
  readonly raw: number;
  readonly codec: number;
}

/** Where chunks lie, by the first half of their ids. */
type Places = Map<string, { readonly frame: Frame; readonly offset: number; readonly length: number }>;

function addRow(places: Places, pack: string, [frames, chunks]: readonly [Bytes, Bytes]): void {
  let sealedAt = 96;
  let row = 0;
  for (let ordinal = 0; ordinal < frames.length / 13; ordinal++) {
    const at = ordinal * 13;
    const [sealed, raw, codec] = [u32(frames, at), u32(frames, at + 4), frames[at + 8]!];
    let offset = 0;
    for (let left = u32(frames, at + 9); left > 0; left--, row += 20) {
      const frame = { pack, ordinal, sealedAt, sealed, raw, codec };
      const length = u32(chunks, row + 16);
      places.set(hex(chunks.subarray(row, row + 16)), { frame, offset, length });
      offset += length;
    }
    must(offset === raw, 'raw length of a frame');
    sealedAt += sealed;
  }
  must(row === chunks.length, 'chunks in no frame');
}

/** A node's fields, its ids cut apart. */
export function parseNode(bytes: Bytes) {
  const fields = structured(bytes) as Fields;
  must(fields.get(0) === 1 && fields.size === 6, 'version of a node');
  const [data, nodes] = [3, 4].map(key => {
    const ids = fields.get(key) as Bytes;
    return Array.from({ length: ids.length / 32 }, (_, i) => ids.slice(i * 32, i * 32 + 32));
  });
  const [kind, level] = [fields.get(1) as number, fields.get(2) as number];
  return { kind, level, data: data!, nodes: nodes!, items: fields.get(5) as unknown[] };
}

export function extentBytes(extent: unknown): number {
  if (extent instanceof Uint8Array) return extent.length;
  return Number(Array.isArray(extent) ? extent[2] : extent);
}

/** Opens a store: config (5), slot and ring (4), index (8). */
export async function readStore(medium: Medium, passphrase: string) {
  const zstd = await Zstd.load();
  const config = Buffer.from(medium.get('config')).toString('latin1');
  const [, json = '', mac, check] =
    /^([\s\S]*)mac ([0-9a-f]{64})\ncheck ([0-9a-f]{32})\n$/.exec(config) ?? [];
  must(hex(hash(ascii(config.slice(0, -39)))).slice(0, 32) === check, 'check of config');
  const { format, store } = JSON.parse(json) as { format: number; store: string };
  must(format === 1, 'format');
  const storeId = Buffer.from(store, 'hex');
  const numbers = [...medium.names()].map(name => Number(/^keys\/ring-([1-9][0-9]*)$/.exec(name)?.[1] ?? 0));
  const ringName = `keys/ring-${Math.max(...numbers)}`;
  const ringPart = await ringBody(medium, ringName, { storeId, passphrase });
  const [domain, epochs] = [1, 2].map(key => (structured(ringPart) as Fields).get(key)) as [Fields, Fields[]];
  const domainKey = (field: number, label: string) =>
    hkdf(domain.get(field) as Bytes, none, `domain/${label}`);
  must(hex((await keyed(domainKey(4, 'store/config')))(ascii(json))) === mac, 'MAC of config');
  const [dataId, metadataId] = [
    await keyed(domainKey(1, 'ids/data')),
    await keyed(domainKey(2, 'ids/metadata')),
  ];
  const secrets = new Map(epochs.map(epoch => [epoch.get(1), epoch.get(2) as Bytes]));
  const open = opener(storeId, epoch => secrets.get(epoch)!);
  const record = (name: string): Fields => open.record(medium.get(name), name);

  const places: Places = new Map();
  for (const name of medium.names())
    if (name.startsWith('index/'))
      for (const [id, , frames, chunks] of record(name).get(1) as [Bytes, number, Bytes, Bytes][])
        addRow(places, `packs/${hex(id).slice(32, 34)}/${hex(id)}`, [frames, chunks]);

  let last = { name: '', frame: none };
  function chunk(id: Bytes, kind: 'data-pack' | 'metadata-pack'): Bytes {
    const place = places.get(hex(id.subarray(0, 16)));
    must(place !== undefined, `chunk ${hex(id)} is nowhere`);
    const { pack, ordinal, sealedAt, sealed, raw, codec } = place.frame;
    if (last.name !== `${pack}/${ordinal}`) {
      const object = medium.get(pack);
      must(headerOf(object).kind === kind, `class of ${pack}`);
      const part = object.subarray(sealedAt, sealedAt + sealed);
      const opened = open.part(object, pack, { ordinal: BigInt(ordinal), sealed: part });
      last = { name: `${pack}/${ordinal}`, frame: codec === 0 ? opened : zstd.decompress(opened) };
      must(last.frame.length === raw, `raw length of a frame of ${pack}`);
    }
    const bytes = last.frame.slice(place.offset, place.offset + place.length);
    must(same(kind === 'data-pack' ? dataId(bytes) : metadataId(bytes), id), `bytes of chunk ${hex(id)}`);
    return bytes;
  }

  /** Section 7: what a pack says of itself, as it was sealed. */
  function trailer(name: string): Bytes {
    const object = medium.get(name);
    const end = object.length - 16;
    must(
      same(hash(object.subarray(end, end + 8)).subarray(0, 8), object.subarray(end + 8)),
      'check of a footer',
    );
    const length = Number(Buffer.from(object).readBigUInt64LE(end));
    return open.part(object, name, { ordinal: 2n ** 64n - 1n, sealed: object.subarray(end - length, end) });
  }

  /** Section 10: all snapshots, in no order. */
  function* manifests() {
    const names = new Set(medium.names());
    for (const name of names) {
      const id = /^manifests\/([0-9a-f]{64})$/.exec(name)?.[1];
      if (id === undefined || names.has(`forgotten/${id}`)) continue;
      const object = medium.get(name);
      if (headerOf(object).kind === 'aborted') continue;
      const end = 100 + u32(object, 96);
      must(isChecked(object, end), `check of ${name}`);
      const clear = object.subarray(100, end);
      const fields = open.record(object, name, object.subarray(end + 16));
      must(same(fields.get(1) as Bytes, clear), `clear part of ${name}`);
      const outer = structured(clear) as Fields;
      const previous = outer.get(3) === null ? null : hex(outer.get(3) as Bytes);
      const [host, sequence] = [outer.get(1) as string, outer.get(2) as number];
      const roots = (fields.get(3) as [Bytes, number][]).map(([root, kind]) => ({ id: root, kind }));
      yield { id, host, sequence, previous, roots, createdMs: fields.get(2), body: fields.get(6) };
    }
  }

  /** Section 9: a listing's entries in order. */
  function* entries(root: Bytes): Generator<ReadEntry> {
    const { kind, level, data, nodes, items } = parseNode(chunk(root, 'metadata-pack'));
    must(kind === 0, 'no node of a listing');
    for (const [key, second, third] of items as [Bytes, unknown, unknown][]) {
      if (level === 0) {
        const contents = (third as unknown[]).map(content => contentOf(content, { data, nodes }));
        yield { key, body: second as Bytes, contents };
        continue;
      }
      let [last, count]: [Bytes, number] = [none, 0];
      for (const entry of entries(nodes[second as number]!)) {
        yield entry;
        [last, count] = [entry.key, count + 1];
      }
      must(same(last, key) && count === third, 'last key or entries of a branch');
    }
  }

  function contentOf(content: unknown, { data, nodes }: { data: Bytes[]; nodes: Bytes[] }) {
    if (content instanceof Map)
      return { length: Number(content.get(1)), extents: () => list(nodes[content.get(0) as number]!) };
    const own = content as unknown[];
    return {
      length: own.reduce<number>((sum, e) => sum + extentBytes(e), 0),
      extents: () => extentsOf(own, data),
    };
  }

  function* list(id: Bytes): Generator<ReadExtent> {
    const { kind, level, data, nodes, items } = parseNode(chunk(id, 'metadata-pack'));
    must(kind === 1, 'no node of an extent list');
    if (level === 0) yield* extentsOf(items, data);
    else for (const [node] of items as [number, unknown][]) yield* list(nodes[node]!);
  }

  function* extentsOf(extents: readonly unknown[], data: readonly Bytes[]): Generator<ReadExtent> {
    for (const extent of extents) {
      const length = extentBytes(extent);
      if (extent instanceof Uint8Array) yield { length, bytes: extent };
      else if (!Array.isArray(extent)) yield { length, bytes: undefined };
      else
        yield { length, bytes: chunk(data[extent[0]]!, 'data-pack').subarray(extent[1], extent[1] + length) };
    }
  }

  return { manifests, entries, record, trailer };
}
