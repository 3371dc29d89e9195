import { configName, decodeConfig } from '../config.ts';
import { isStoreError } from '../errors.ts';
import type { PackId, SnapshotId } from '../ids.ts';
import { decodeSlot } from '../keys/slots.ts';
import { packOfParity } from '../parity/record.ts';
import { unknownGeneration } from '../protocol/generations.ts';
import {
  damageRecord,
  doneRecord,
  forgottenRecord,
  generationRecord,
  heartbeatRecord,
  holdRecord,
  intentRecord,
  ledgerRecord,
  type RecordCodec,
  sessionRecord,
  sweepRecord,
} from '../protocol/records.ts';
import { openRecord } from '../record.ts';
import type { ObjectKind } from '../seal/index.ts';
import { verifyParityHeader } from './parity.ts';
import { callOf, checked, type Inventory, readObject, type VerifyRun } from './run.ts';

interface RecordPattern {
  readonly pattern: RegExp;
  readonly kind: ObjectKind;
  readonly codec: RecordCodec<unknown>;
  /** Its owner may remove it while others read. */
  readonly isShortLived?: true;
}

const id = '[0-9a-f]{64}';
const number = '[1-9][0-9]{0,15}';
const markPattern = nameOf(`forgotten/(${id})`);
const holdPattern = nameOf(`holds/${id}\\.${number}`);
const recordPatterns: readonly RecordPattern[] = [
  { pattern: nameOf(`sessions/${id}`), kind: 'session', codec: sessionRecord, isShortLived: true },
  {
    pattern: nameOf(`sessions/${id}\\.${number}`),
    kind: 'heartbeat',
    codec: heartbeatRecord,
    isShortLived: true,
  },
  { pattern: nameOf(`intents/${id}`), kind: 'intent', codec: intentRecord, isShortLived: true },
  { pattern: nameOf(`gc/${number}`), kind: 'generation', codec: generationRecord },
  { pattern: nameOf(`gc/${number}\\.sweep`), kind: 'sweep', codec: sweepRecord },
  { pattern: nameOf(`gc/${number}\\.done`), kind: 'done', codec: doneRecord },
  { pattern: nameOf(`damage/${id}`), kind: 'damage', codec: damageRecord },
  { pattern: nameOf(`ledger/${id}`), kind: 'ledger', codec: ledgerRecord },
  { pattern: holdPattern, kind: 'hold', codec: holdRecord },
];
const packPattern = nameOf(`packs/([0-9a-f]{2})/(${id})`);
const indexPattern = nameOf(`index/${id}`);
const manifestPattern = nameOf(`manifests/(${id})`);
const slotPattern = nameOf(`keys/${id}`);
const ringPattern = nameOf(`keys/ring-${number}`);

function nameOf(pattern: string): RegExp {
  return new RegExp(`^${pattern}$`);
}

/** Lists everything once, and opens what is small and stands alone: config, slots, rings, records of the protocol. */
export async function verifyObjects(run: VerifyRun): Promise<Inventory> {
  const packs = new Map<PackId, number>();
  const indexParts: string[] = [];
  const parity = new Set<PackId>();
  const damagedParity = new Set<PackId>();
  const manifests = new Set<SnapshotId>();
  const forgotten = new Set<SnapshotId>();
  const beforeForgotten = new Map<SnapshotId, SnapshotId>();
  const holds: string[] = [];
  let unknown = 0;
  for await (const { name, bytes } of run.context.backend.list('', callOf(run))) {
    run.counts.objects += 1;
    run.progress('objects', run.counts.objects, 0);
    const pack = packPattern.exec(name);
    const manifest = manifestPattern.exec(name);
    const marked = markPattern.exec(name)?.[1] as SnapshotId | undefined;
    const ofParity = packOfParity(name);
    if (pack !== null && pack[1] === pack[2]!.slice(32, 34)) packs.set(pack[2]! as PackId, bytes);
    else if (indexPattern.test(name)) indexParts.push(name);
    else if (ofParity !== undefined)
      ((await verifyParityHeader(run, name)) ? parity : damagedParity).add(ofParity);
    else if (manifest !== null) manifests.add(manifest[1]! as SnapshotId);
    else if (marked !== undefined) {
      // The name alone says that a snapshot is gone, whatever became of the object's bytes, once its manifest is, too.
      forgotten.add(marked);
      const previous = await verifyMark(run, name);
      if (previous !== undefined) beforeForgotten.set(marked, previous);
    } else if (!(await verifyObject(run, name))) unknown += 1;
    if (holdPattern.test(name)) holds.push(name);
  }
  for (const id of forgotten)
    if (manifests.has(id) && run.report.has(`forgotten/${id}`)) forgotten.delete(id);
  return { packs, indexParts, parity, damagedParity, manifests, forgotten, beforeForgotten, holds, unknown };
}

/** Checks the mark that a snapshot is forgotten; what it says came before that one. */
async function verifyMark(run: VerifyRun, name: string): Promise<SnapshotId | undefined> {
  let previous: SnapshotId | undefined;
  await checked(run, { kind: 'forgotten', object: name }, async () => {
    const { fields } = openRecord(run.context.ring, await readObject(run, name), { kind: 'forgotten', name });
    previous = forgottenRecord.decode(fields, name).previous;
  });
  return previous;
}

async function verifyObject(run: VerifyRun, name: string): Promise<boolean> {
  const { blake3 } = run.context.ring;
  if (name === configName) {
    await checked(run, { kind: 'config', object: name }, async () => {
      const macKey = run.context.ring.domainKey('store/config');
      decodeConfig(await readObject(run, name), blake3).verify(macKey);
    });
  } else if (slotPattern.test(name)) {
    await checked(run, { kind: 'slot', object: name }, async () => {
      decodeSlot(await readObject(run, name), { name, blake3 });
    });
  } else if (ringPattern.test(name)) {
    await checked(run, { kind: 'ring', object: name }, async () => {
      run.keys.checkRing(await readObject(run, name), name);
    });
  } else {
    const found = recordPatterns.find(({ pattern }) => pattern.test(name));
    if (found === undefined) {
      // No writer goes on beside it; who repairs does.
      if (name.startsWith('gc/') && run.newer !== undefined)
        await checked(run, { kind: 'generation', object: name }, () => {
          throw unknownGeneration(run.context.backend, name);
        });
      return false;
    }
    await checked(run, { kind: found.kind, object: name }, () => verifyRecord(run, name, found));
  }
  return true;
}

async function verifyRecord(
  run: VerifyRun,
  name: string,
  { kind, codec, isShortLived }: RecordPattern,
): Promise<void> {
  let bytes: Uint8Array;
  try {
    bytes = await readObject(run, name);
  } catch (error) {
    if (isShortLived && isStoreError(error) && error.code === 'STORE_OBJECT_MISSING') return;
    throw error;
  }
  codec.decode(openRecord(run.context.ring, bytes, { kind, name }).fields, name);
}
