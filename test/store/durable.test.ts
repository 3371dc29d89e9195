import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type WriteDurablyOptions, writeDurably } from '../../store/durable.ts';
import type { FileSystem } from '../../store/file-system.ts';
import { isStoreError } from '../../store/index.ts';
import { type DiskFault, diskError, type LossyDisk, lossyDisk } from '../helpers/lossy-disk.ts';
import { seededRandomness } from '../helpers/seeded.ts';

const path = '/disk/object';
const fresh = Buffer.from('the bytes that must be there, whole, or not at all');
const old = Buffer.from('the old bytes');

interface Attempt {
  readonly disk: LossyDisk;
  readonly outcome: 'created' | 'exists' | undefined;
  readonly error: unknown;
}

/** One write on a disk with faults; `weaken` makes a disk that lies. */
async function attempt(
  overwrite: WriteDurablyOptions['overwrite'],
  fault: DiskFault,
  { before, weaken = same }: { before?: Uint8Array; weaken?: (fileSystem: FileSystem) => FileSystem } = {},
): Promise<Attempt> {
  let faulty: DiskFault = () => undefined;
  const disk = lossyDisk({ fault: call => faulty(call) });
  if (before !== undefined) await write(disk.fileSystem, before, overwrite);
  const prepared = disk.calls.length;
  faulty = call => fault({ ...call, index: call.index - prepared });
  try {
    return { disk, outcome: await write(weaken(disk.fileSystem), fresh, overwrite), error: undefined };
  } catch (error) {
    return { disk, outcome: undefined, error };
  }
}

function write(
  fileSystem: FileSystem,
  bytes: Uint8Array,
  overwrite: WriteDurablyOptions['overwrite'],
): Promise<'created' | 'exists'> {
  return writeDurably(path, bytes, {
    overwrite,
    fileSystem,
    randomness: seededRandomness(String(bytes.length)),
  });
}

function same(fileSystem: FileSystem): FileSystem {
  return fileSystem;
}

/** From a call on, nothing works any more. */
function powerCutAt(index: number): DiskFault {
  return call => (call.index >= index ? diskError('EPOWER') : undefined);
}

/** Every state that a power cut may leave: whole or as before, and whole where the write was reported. */
function checkStates({ disk, outcome }: Attempt, before: Uint8Array | undefined): void {
  fc.assert(
    fc.property(fc.infiniteStream(fc.boolean()), chances => {
      const found = disk.afterPowerCut(() => chances.next().value === true).read(path);
      const isNew = found !== undefined && Buffer.compare(found, fresh) === 0;
      const isOld =
        before === undefined
          ? found === undefined
          : found !== undefined && Buffer.compare(found, before) === 0;
      assert.ok(isNew || isOld, 'a torn file has the name');
      if (outcome === 'created') assert.ok(isNew, 'a file that was reported is not there');
    }),
    { numRuns: 40 },
  );
}

const cases = [
  { overwrite: 'never', before: undefined },
  { overwrite: 'replace', before: undefined },
  { overwrite: 'replace', before: old },
] as const;

for (const { overwrite, before } of cases) {
  const options = before === undefined ? {} : { before };
  describe(`a durable write that overwrites ${overwrite}${before === undefined ? '' : ', over old bytes'}`, () => {
    test('survives a power cut at every call', async () => {
      let index = 0;
      let run: Attempt;
      do {
        index += 1;
        run = await attempt(overwrite, powerCutAt(index), options);
        checkStates(run, before);
      } while (run.error !== undefined || run.disk.calls.some(call => call.index >= index));
      assert.ok(index > 5, `only ${index} calls`);
      assert.equal(run.outcome, 'created');
    });

    for (const errno of ['EIO', 'ENOSPC', 'EACCES', 'EROFS']) {
      test(`answers ${errno} at any call with a store error, or has written everything`, async () => {
        for (let index = 1; index <= 8; index += 1) {
          const run = await attempt(
            overwrite,
            call => (call.index === index ? diskError(errno) : undefined),
            options,
          );
          if (run.error !== undefined) {
            assert.ok(isStoreError(run.error), String(run.error));
            assert.ok(run.error.remedy);
          }
          checkStates(run, before);
        }
      });
    }

    test('goes on after short writes', async () => {
      const run = await attempt(
        overwrite,
        call => (call.operation === 'write' ? { shortWriteBytes: 7 } : undefined),
        options,
      );
      assert.equal(run.outcome, 'created');
      checkStates(run, before);
    });

    test('takes a medium that accepts no more bytes for a full one', async () => {
      const run = await attempt(
        overwrite,
        call => (call.operation === 'write' ? { shortWriteBytes: 0 } : undefined),
        options,
      );
      assert.ok(isStoreError(run.error) && run.error.code === 'STORE_WRITE_FAILED');
    });
  });
}

test('a failed fsync is answered by writing the file anew, never by another fsync of it', async () => {
  let failures = 0;
  const run = await attempt('never', call => {
    if (call.operation !== 'sync' || failures === 2) return undefined;
    failures += 1;
    return diskError('EIO');
  });
  assert.equal(run.outcome, 'created');
  const synced = run.disk.calls.filter(call => call.operation === 'sync').map(call => call.path);
  assert.equal(synced.length, 3);
  assert.equal(new Set(synced).size, 3);
  checkStates(run, undefined);
  assert.deepEqual(run.disk.paths(), [path]);
});

test('a file whose fsync keeps failing is given up, and leaves nothing', async () => {
  const run = await attempt('never', call => (call.operation === 'sync' ? diskError('EIO') : undefined));
  assert.ok(isStoreError(run.error) && run.error.code === 'STORE_WRITE_FAILED');
  assert.deepEqual(run.disk.paths(), []);
});

test('an error of close counts as a failed fsync', async () => {
  let failed = false;
  const run = await attempt('never', call => {
    if (call.operation !== 'close' || failed) return undefined;
    failed = true;
    return diskError('EDQUOT');
  });
  assert.equal(run.outcome, 'created');
  assert.equal(run.disk.calls.filter(call => call.operation === 'create').length, 2);
});

test('a folder whose fsync fails is not synced again, and the name is withdrawn', async () => {
  const run = await attempt('never', call =>
    call.operation === 'syncFolder' ? diskError('EIO') : undefined,
  );
  assert.ok(isStoreError(run.error) && run.error.code === 'STORE_WRITE_FAILED');
  assert.equal(run.disk.calls.filter(call => call.operation === 'syncFolder').length, 1);
  assert.deepEqual(run.disk.paths(), []);
});

test('a name that is taken keeps its bytes, and is made durable before anybody acts on it', async () => {
  const run = await attempt('never', () => undefined, { before: old });
  assert.equal(run.outcome, 'exists');
  assert.deepEqual(run.disk.read(path), new Uint8Array(old));
  assert.deepEqual(run.disk.paths(), [path]);
  assert.equal(run.disk.calls.filter(call => call.operation === 'syncFolder').length, 2);
});

test('a link whose acknowledgement was lost is our own success', async () => {
  for (const errno of ['EEXIST', 'EIO', 'ETIMEDOUT']) {
    const run = await attempt('never', () => undefined, {
      weaken: fileSystem => ({
        ...fileSystem,
        async link(from, to) {
          await fileSystem.link(from, to);
          throw diskError(errno);
        },
      }),
    });
    assert.equal(run.outcome, 'created', errno);
    checkStates(run, undefined);
  }
});

test('a file system without links is refused, for durability cannot be proven there', async () => {
  for (const errno of ['ENOTSUP', 'EPERM', 'EMLINK', 'ENOSYS']) {
    const run = await attempt('never', call => (call.operation === 'link' ? diskError(errno) : undefined));
    assert.ok(isStoreError(run.error) && run.error.code === 'STORE_UNPROVEN', errno);
    assert.deepEqual(run.disk.paths(), []);
  }
});

test('an aborted signal stops before anything is written', async () => {
  const disk = lossyDisk();
  const reason = new Error('stop');
  const options = {
    overwrite: 'never',
    fileSystem: disk.fileSystem,
    signal: AbortSignal.abort(reason),
  } as const;
  await assert.rejects(writeDurably(path, fresh, options), error => error === reason);
  assert.equal(disk.calls.length, 0);
});

describe('these tests notice', () => {
  const lies: Readonly<Record<string, (fileSystem: FileSystem) => FileSystem>> = {
    'a missing fsync of the file': fileSystem => ({
      ...fileSystem,
      create: async (where, mode) => ({ ...(await fileSystem.create(where, mode)), sync: async () => {} }),
    }),
    'a missing fsync of the folder': fileSystem => ({ ...fileSystem, syncFolder: async () => {} }),
    'a fsync that is tried again': fileSystem => ({
      ...fileSystem,
      async create(where, mode) {
        const file = await fileSystem.create(where, mode);
        return { ...file, sync: () => file.sync().catch(() => file.sync()) };
      },
    }),
  };
  for (const [lie, weaken] of Object.entries(lies)) {
    test(lie, async () => {
      let failed = false;
      const firstSyncFails: DiskFault = call => {
        if (call.operation !== 'sync' || failed) return undefined;
        failed = true;
        return diskError('EIO');
      };
      const run = await attempt('never', firstSyncFails, { weaken });
      assert.equal(run.outcome, 'created');
      assert.throws(() => checkStates(run, undefined), /Property failed/);
    });
  }
});
