import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { encodeCbor } from '../../../store/cbor.ts';
import { decodeConfig, encodeConfig, newConfig } from '../../../store/config.ts';
import { loadBlake3 } from '../../../store/hash.ts';
import { fromHex, hex, type SessionId, type StoreId } from '../../../store/index.ts';
import { decodeHostKey, encodeHostKey, type HostEpoch, hostEpochFrom } from '../../../store/keys/host-key.ts';
import { makeRing, openRing, type RingBody, type RingPlace, sealRing } from '../../../store/keys/ring.ts';
import { decodeSlot, openSlot, sealSlot } from '../../../store/keys/slots.ts';
import {
  createSeal,
  createSealTo,
  isSignedBy,
  joinObject,
  objectKinds,
  openObject,
  openSeal,
  signerFrom,
} from '../../../store/seal/index.ts';
import { seededRandomness } from '../../helpers/seeded.ts';

// The files are format v1: kept for good. STILLPOINT_UPDATE_GOLDEN=1 writes them anew, which a reviewer must see as what
// it is, a change of the format.
const folder = new URL('../../../../test/golden/keys/', import.meta.url);
const update = process.env['STILLPOINT_UPDATE_GOLDEN'] === '1';

const blake3 = await loadBlake3();
const randomness = seededRandomness('stillpoint golden keys');
const random = (): Uint8Array => randomness.bytes(32);
const createdMs = Date.UTC(2026, 0, 1);
const storeId = hex(random()) as StoreId;
const session = hex(random()) as SessionId;
const passphrase = 'correct horse battery stäple';
const ringKey = { number: 1, key: random() };
const hostSigner = signerFrom(random());
const body: RingBody = {
  domain: { idsData: random(), idsMetadata: random(), chunker: random(), store: random() },
  epochs: [
    { number: 1, secret: random(), createdMs },
    { number: 2, secret: random(), createdMs: createdMs + 1000 },
  ],
  hosts: [
    { name: 'attic', publicKey: hostSigner.publicKey, fromEpoch: 1, createdMs },
    { name: 'cellar', publicKey: signerFrom(random()).publicKey, fromEpoch: 1, untilEpoch: 1, createdMs },
  ],
};
const ring = makeRing(body, { storeId, blake3 });
const place: RingPlace = { storeId, blake3, ringKey, name: 'keys/ring-2' };
const config = newConfig(storeId);
const configMacKey = ring.domainKey('store/config');
const sessionName = `sessions/${session}`;
const packName = `packs/ab/${hex(random()).slice(0, 32)}ab${'0'.repeat(30)}`;
const record = encodeCbor(
  new Map<number, string | number>([
    [1, 'host.example'],
    [2, -1],
  ]),
);

/** What a second reader can check itself against, step by step. Secrets in clear: nothing is kept with them. */
const facts = {
  storeId,
  session,
  passphrase,
  ringKey: hex(ringKey.key),
  ringName: place.name,
  idsData: hex(body.domain.idsData),
  idsMetadata: hex(body.domain.idsMetadata),
  chunker: hex(body.domain.chunker),
  store: hex(body.domain.store),
  epochSecrets: body.epochs.map(epoch => hex(epoch.secret)),
  idsDataKey: hex(ring.domainKey('ids/data')),
  idsMetadataKey: hex(ring.domainKey('ids/metadata')),
  chunkerCutsRows: hex(ring.domainKey('chunker/cuts/rows', 16)),
  configMacKey: hex(configMacKey),
  purposeKeysOfEpoch2: {
    data: hex(ring.purposeKey('data', 2)!),
    metadata: hex(ring.purposeKey('metadata', 2)!),
    index: hex(ring.purposeKey('index', 2)!),
  },
  dataRecipientOfEpoch2: hex(hostEpochFrom(ring, 2).dataRecipient),
  keyHolderPublicKeyOfEpoch2: hex(ring.keyHolder().publicKey),
  slotName: `keys/${hex(random())}`,
  scryptSlotName: `keys/${hex(random())}`,
  objectName: sessionName,
  packName,
  objectBody: hex(record),
};

const slotOptions = { storeId, passphrase, createdMs, randomness, blake3, label: 'first' };
const slot = await sealSlot(ringKey, {
  ...slotOptions,
  name: facts.slotName,
  kdf: { type: 'argon2id', memoryKiB: 64, passes: 2, lanes: 1 },
});
const scryptSlot = await sealSlot(ringKey, {
  ...slotOptions,
  name: facts.scryptSlotName,
  kdf: { type: 'scrypt', cost: 256, blockSize: 8, lanes: 1 },
  label: '',
});
const objectSeal = createSeal(ring, { kind: 'session', session, name: sessionName, randomness });
const hostEpoch = hostEpochFrom(ring, 2);
const packSeal = createSealTo(hostEpoch.dataRecipient, ring, {
  kind: 'data-pack',
  session,
  name: packName,
  randomness,
});
const packParts = [
  packSeal.seal(0n, Buffer.from('first')),
  packSeal.seal(2n ** 64n - 1n, Buffer.from('trailer')),
];

const files: Readonly<Record<string, Uint8Array>> = {
  'facts.json': Buffer.from(`${JSON.stringify(facts, null, 2)}\n`),
  config: encodeConfig(config, { macKey: configMacKey, blake3 }),
  'slot-argon2id.bin': slot,
  'slot-scrypt.bin': scryptSlot,
  'ring-2.bin': sealRing(body, place, randomness),
  'object.bin': joinObject(objectSeal, record),
  'object.signature.bin': ring.keyHolder().sign(objectSeal.signedBytes(record)),
  'sealed-to-key.bin': Buffer.concat([packSeal.header, ...packParts]),
  'host-key.bin': hostKeyOf([hostEpochFrom(ring, 1), hostEpoch].map(withoutKeyHolder)),
  'host-key-2.bin': hostKeyOf([hostEpochFrom(ring, 1), hostEpoch]),
};

/** As the files were before they said who holds the passphrase. */
function withoutKeyHolder({ keyHolder: _, ...epoch }: HostEpoch): HostEpoch {
  return epoch;
}

function hostKeyOf(epochs: readonly HostEpoch[]): Uint8Array {
  const configHash = blake3.hash(encodeConfig(config, { macKey: configMacKey, blake3 }));
  const signingSeed = fromHex('5e'.repeat(32));
  const host = { storeId, name: 'attic', signingSeed, domain: body.domain, epochs, configHash, createdMs };
  return encodeHostKey(host, blake3);
}

if (update) {
  await mkdir(folder, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) await writeFile(new URL(name, folder), bytes);
}
const golden = async (name: string): Promise<Uint8Array> =>
  new Uint8Array(await readFile(new URL(name, folder)));

for (const [name, bytes] of Object.entries(files)) {
  test(`the program still writes the golden file keys/${name}`, async () => {
    assert.equal(hex(bytes), hex(await golden(name)));
  });
}

test('the golden config is read, and its MAC is right', async () => {
  const read = decodeConfig(await golden('config'), blake3);
  read.verify(configMacKey);
  assert.deepEqual(read.config, config);
});

test('the golden slots give the ring key', async () => {
  for (const [file, name] of [
    ['slot-argon2id.bin', facts.slotName],
    ['slot-scrypt.bin', facts.scryptSlotName],
  ] as const) {
    const opened = decodeSlot(await golden(file), { name, blake3 });
    assert.equal(opened.ringKeyNumber, 1);
    assert.deepEqual(await openSlot(opened, { storeId, name, passphrase }), ringKey.key);
  }
});

test('the golden ring holds what was put into it', async () => {
  assert.deepEqual(openRing(await golden('ring-2.bin'), place), body);
});

test('the golden object opens, and its signature is the key holder’s', async () => {
  const opened = openObject(ring, await golden('object.bin'), { kind: 'session', name: sessionName });
  assert.deepEqual(opened.body, record);
  assert.equal(opened.facts.session, session);
  const signature = await golden('object.signature.bin');
  assert.ok(isSignedBy(ring.keyHolder(2).publicKey, opened.seal.signedBytes(opened.body), signature));
});

test('the golden object that was sealed to a public key opens', async () => {
  const bytes = await golden('sealed-to-key.bin');
  const seal = openSeal(ring, bytes, { kind: 'data-pack', name: packName });
  assert.equal(seal.facts.kem, 1);
  assert.equal(Buffer.from(seal.open(0n, bytes.subarray(96, 96 + 33))).toString(), 'first');
  assert.equal(Buffer.from(seal.open(2n ** 64n - 1n, bytes.subarray(96 + 33))).toString(), 'trailer');
});

test('the golden host keys are read', async () => {
  const key = decodeHostKey(await golden('host-key-2.bin'), blake3);
  assert.equal(key.name, 'attic');
  assert.deepEqual(key.epochs.at(-1), hostEpoch);
  const before = decodeHostKey(await golden('host-key.bin'), blake3);
  assert.deepEqual(before.epochs.at(-1), withoutKeyHolder(hostEpoch));
  const noted = { ...key, ringKeyNumber: 3 };
  assert.deepEqual(decodeHostKey(encodeHostKey(noted, blake3), blake3), noted);
});

test('a host key is none with any flipped bit, and newer where only its version is another', async () => {
  const bytes = await golden('host-key.bin');
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const flipped = bytes.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    assert.throws(() => decodeHostKey(flipped, blake3), { code: 'STORE_WRONG_KEY' });
  }
  const later = bytes.slice();
  later[4] = 2;
  later.set(blake3.hash(later.subarray(0, -16)).subarray(0, 16), later.length - 16);
  assert.throws(() => decodeHostKey(later, blake3), { code: 'STORE_NEWER' });
  assert.throws(() => decodeHostKey(new Uint8Array(5), blake3), { code: 'STORE_WRONG_KEY' });
});

test('kinds keep their bytes and purposes', () => {
  assert.deepEqual(
    Object.entries(objectKinds).map(([kind, { byte, purpose }]) => `${byte} ${kind} ${purpose}`),
    [
      '1 ring ring',
      '2 data-pack data',
      '3 metadata-pack metadata',
      '4 index index',
      '5 manifest metadata',
      '6 aborted index',
      '7 session index',
      '8 heartbeat index',
      '9 intent index',
      '10 generation index',
      '11 sweep index',
      '12 done index',
      '13 forgotten index',
      '14 damage index',
      '15 ledger metadata',
      '16 hold metadata',
      '17 parity index',
    ],
  );
});
