import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Backend, openLocalBackend, verifyStore } from '../../store/index.ts';
import {
  type Chance,
  type DiskCall,
  type DiskFault,
  diskError,
  type LossyDisk,
  lossyDisk,
} from '../helpers/lossy-disk.ts';
import { seededRandomness } from '../helpers/seeded.ts';
import { commitFiles, readFiles, type SmallSnapshot, smallStore } from '../helpers/small-store.ts';
import { reopenStore } from '../helpers/stores.ts';

const added = new Map([
  ['etc/hosts', Buffer.from('127.0.0.1 localhost\n')],
  ['var/log', Buffer.from('another line, not stored before\n'.repeat(9))],
]);

let opened = 0;

function backendOn(disk: LossyDisk): Promise<Backend> {
  opened += 1;
  const randomness = seededRandomness(`temporary names ${opened}`);
  return openLocalBackend('/disk/store', { create: true, fileSystem: disk.fileSystem, randomness });
}

/** Every way that a power cut can end is one of these often enough. */
function chances(seed: string): Chance {
  const bytes = seededRandomness(seed).bytes(4096);
  let at = 0;
  return () => bytes[at++ % bytes.length]! < 128;
}
const outcomes: readonly [string, Chance][] = [
  ['nothing unsynced is left', () => false],
  ['everything is left', () => true],
  ['some of it', chances('some')],
  ['other parts of it', chances('other')],
];

/** A disk with a store of one snapshot; `cut` says when calls begin to fail. */
async function prepared() {
  let fault: DiskFault = () => undefined;
  const disk = lossyDisk({ fault: call => fault(call) });
  const { snapshots } = await smallStore({ backend: await backendOn(disk), snapshots: 1 });
  const before = disk.calls.length;
  return {
    disk,
    snapshots,
    /** Nothing works from the nth call on, counting those that `counts` says. */
    failFrom(nth: number, counts: (call: DiskCall) => boolean = () => true) {
      let seen = 0;
      fault = call => {
        if (counts(call)) seen += 1;
        return seen >= nth ? diskError('EPOWER') : undefined;
      };
    },
    mend() {
      fault = () => undefined;
    },
    callsSince: (counts: (call: DiskCall) => boolean = () => true) =>
      disk.calls.slice(before).filter(counts).length,
  };
}

async function backUp(disk: LossyDisk): Promise<SmallSnapshot | undefined> {
  try {
    return await commitFiles(await reopenStore(await backendOn(disk)), added);
  } catch {
    return undefined; // the disk failed; what it left is looked at
  }
}

/** Every snapshot that is listed is whole, and the known ones are there. */
async function checkWhole(disk: LossyDisk, known: readonly SmallSnapshot[], where: string): Promise<void> {
  const store = await reopenStore(await backendOn(disk));
  const { damage, snapshots } = await verifyStore(store, { readData: 1 });
  assert.deepEqual(damage, [], where);
  for (const { id, root, files } of known) {
    assert.ok(
      snapshots.some(manifest => manifest.id === id),
      `${where}: a snapshot is gone`,
    );
    assert.deepEqual(await readFiles(store, root), files, where);
  }
}

test('after a power cut at any call of the disk, every snapshot that is listed is whole', async () => {
  const whole = await prepared();
  await backUp(whole.disk);
  for (let at = 1; at <= whole.callsSince(); at += 2) {
    const { disk, snapshots, failFrom } = await prepared();
    failFrom(at);
    const committed = await backUp(disk);
    for (const [what, chance] of outcomes)
      await checkWhole(
        disk.afterPowerCut(chance),
        committed ? [...snapshots, committed] : snapshots,
        `call ${at}, ${what}`,
      );
  }
});

/** Before these, a name is there and may yet be lost. */
const isFolderSync = ({ operation }: DiskCall): boolean => operation === 'syncFolder';

test('what a killed run left unsynced is nothing that the next run builds on', async () => {
  const whole = await prepared();
  await backUp(whole.disk);
  for (let at = 1; at <= whole.callsSince(isFolderSync); at++) {
    const { disk, snapshots, failFrom, mend } = await prepared();
    failFrom(at, isFolderSync);
    await backUp(disk); // the process dies, the machine does not
    mend();
    const next = await backUp(disk);
    assert.ok(next, `after call ${at}`);
    for (const [what, chance] of outcomes)
      await checkWhole(
        disk.afterPowerCut(chance),
        [...snapshots, next],
        `killed at sync ${at}, then ${what}`,
      );
  }
});
