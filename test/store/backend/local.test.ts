import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { type Backend, openLocalBackend } from '../../../store/backend/index.ts';
import { isStoreError } from '../../../store/index.ts';
import { type DiskFault, diskError, lossyDisk } from '../../helpers/lossy-disk.ts';
import { seededRandomness } from '../../helpers/seeded.ts';
import { backendContract, bytesOf, collect } from './contract.ts';

const scratch = await mkdtemp(join(tmpdir(), 'stillpoint-backend-'));
after(() => rm(scratch, { recursive: true }));
const freshFolder = (): Promise<string> => mkdtemp(join(scratch, 'store-'));

backendContract('local', {
  make: async () => await openLocalBackend(await freshFolder()),
  again: backend => openLocalBackend(backend.location),
});

describe('a local store', () => {
  test('is private: folders 0700, files 0600, and no temporary file stays', async () => {
    const root = join(await freshFolder(), 'deep', 'store');
    const backend = await openLocalBackend(root, { create: true });
    await backend.put('packs/0a/one', bytesOf(1));
    const modeOf = async (path: string): Promise<number> => (await stat(join(root, path))).mode & 0o777;
    assert.deepEqual(
      await Promise.all(['', 'packs', 'packs/0a', 'packs/0a/one'].map(modeOf)),
      [0o700, 0o700, 0o700, 0o600],
    );
    assert.deepEqual(await readdir(join(root, 'packs/0a')), ['one']);
  });

  test('is not made of a folder that holds something else', async () => {
    const root = await freshFolder();
    await writeFile(join(root, 'Letters.txt'), 'dear');
    await assert.rejects(openLocalBackend(root, { create: true }), { code: 'STORE_NOT_EMPTY' });
  });

  test('is made of an empty folder, lost+found and what a dead run left apart', async () => {
    const root = await freshFolder();
    await mkdir(join(root, 'lost+found'));
    await writeFile(join(root, '.tmp-000000000000000000000000'), 'half');
    const backend = await openLocalBackend(root, { create: true });
    assert.deepEqual(await collect(backend.list('')), []);
  });

  test('is missing where there is no folder, or a file', async () => {
    const root = await freshFolder();
    await writeFile(join(root, 'file'), '');
    await assert.rejects(openLocalBackend(join(root, 'none')), { code: 'STORE_MISSING' });
    await assert.rejects(openLocalBackend(join(root, 'file')), { code: 'STORE_MISSING' });
  });

  test('leaves out of its lists what no object can be called', async () => {
    const backend = await openLocalBackend(await freshFolder());
    await backend.put('gc/1', bytesOf(1));
    for (const name of ['.tmp-00', 'README', 'a b', '.nfs0001'])
      await writeFile(join(backend.location, 'gc', name), '');
    await mkdir(join(backend.location, 'gc/.snapshot'));
    assert.deepEqual(await collect(backend.list('')), [{ name: 'gc/1', bytes: 1 }]);
  });

  test('lists through a folder that was moved to another disk and linked', async () => {
    const backend = await openLocalBackend(await freshFolder());
    await backend.put('packs/0a/one', bytesOf(1));
    const elsewhere = join(await freshFolder(), 'packs');
    await rename(join(backend.location, 'packs'), elsewhere);
    await symlink(elsewhere, join(backend.location, 'packs'));
    assert.deepEqual(await collect(backend.list('packs/')), [{ name: 'packs/0a/one', bytes: 1 }]);
    assert.equal(await backend.put('packs/0a/two', bytesOf(2)), 'created');
    assert.equal((await collect(backend.list('packs/0a/'))).length, 2);
  });

  test('ends a list although links lead in a circle', async () => {
    const backend = await openLocalBackend(await freshFolder());
    await backend.put('packs/0a/one', bytesOf(1));
    await symlink('..', join(backend.location, 'packs/0a/loop'));
    const names = (await collect(backend.list(''))).map(({ name }) => name);
    assert.ok(names.includes('packs/0a/one'));
    assert.ok(names.length < 10);
  });

  test('that was unmounted under a run is an error, not empty', async () => {
    const backend = await openLocalBackend(await freshFolder());
    await backend.put('manifests/one', bytesOf(1));
    await rename(backend.location, `${backend.location}-unmounted`);
    await mkdir(backend.location);
    await assert.rejects(collect(backend.list('manifests/')), { code: 'STORE_READ_FAILED' });
    await assert.rejects(backend.get('manifests/one'), { code: 'STORE_READ_FAILED' });
    await assert.rejects(backend.delete('manifests/one'), { code: 'STORE_READ_FAILED' });
    for (const name of ['config', 'manifests/two', 'packs/0a/one']) {
      await assert.rejects(backend.put(name, bytesOf(1)), { code: 'STORE_WRITE_FAILED' }, name);
    }
    assert.deepEqual(await readdir(backend.location), []);
    await rm(backend.location, { recursive: true });
    await assert.rejects(collect(backend.list('manifests/')), { code: 'STORE_MISSING' });
  });

  test('whose folder may not be written says so', {
    skip: process.getuid?.() === 0 && 'root may',
  }, async () => {
    const backend = await openLocalBackend(await freshFolder());
    await chmod(backend.location, 0o500);
    await assert.rejects(backend.put('config', bytesOf(1)), { code: 'STORE_WRITE_FAILED' });
    await chmod(backend.location, 0o700);
  });
});

describe('a local store on a disk with faults', () => {
  const root = '/disk/store';
  const bytes = Buffer.from('an object');
  const plan = ['packs/0a/one', 'packs/0b/two', 'index/three'] as const;

  /** As a session writes: packs with their folders deferred, then what refers to them. */
  async function session(backend: Backend, reported: Set<string>): Promise<void> {
    for (const name of plan) await backend.put(name, bytes, { sync: 'deferred' });
    await backend.sync();
    for (const name of plan) reported.add(name);
    await backend.put('manifests/four', bytes);
    reported.add('manifests/four');
  }

  async function run(
    fault: DiskFault,
  ): Promise<{ disk: ReturnType<typeof lossyDisk>; reported: Set<string>; error: unknown }> {
    let armed: DiskFault = () => undefined;
    const disk = lossyDisk({ fault: call => armed(call) });
    const { fileSystem } = disk;
    const reported = new Set<string>();
    const backend = await openLocalBackend(root, {
      create: true,
      fileSystem,
      randomness: seededRandomness('faults'),
    });
    const before = disk.calls.length;
    armed = call => fault({ ...call, index: call.index - before });
    try {
      await session(backend, reported);
      return { disk, reported, error: undefined };
    } catch (error) {
      return { disk, reported, error };
    }
  }

  function checkStates({ disk, reported }: Awaited<ReturnType<typeof run>>): void {
    fc.assert(
      fc.property(fc.infiniteStream(fc.boolean()), chances => {
        const found = disk.afterPowerCut(() => chances.next().value === true);
        const names = found
          .paths()
          .flatMap(path => (path.includes('.tmp-') ? [] : [path.slice(root.length + 1)]));
        for (const name of names)
          assert.deepEqual(Buffer.from(found.read(`${root}/${name}`)!), bytes, `${name} is torn`);
        for (const name of reported) assert.ok(names.includes(name), `${name} was reported and is gone`);
        if (names.includes('manifests/four'))
          assert.equal(names.length, 4, 'a manifest without what it needs');
      }),
      { numRuns: 25 },
    );
  }

  test('keeps what it reported, and never a manifest without its packs, whenever the power fails', async () => {
    for (let index = 1; ; index += 1) {
      const outcome = await run(call => (call.index >= index ? diskError('EPOWER') : undefined));
      checkStates(outcome);
      if (outcome.error === undefined) {
        assert.ok(index > 20, `only ${index} calls`);
        break;
      }
    }
  });

  for (const errno of ['EIO', 'ENOSPC']) {
    test(`answers ${errno} at any call with a store error, or has written everything`, async () => {
      for (let index = 1; index <= 40; index += 1) {
        const outcome = await run(call => (call.index === index ? diskError(errno) : undefined));
        if (outcome.error !== undefined) assert.ok(isStoreError(outcome.error), String(outcome.error));
        checkStates(outcome);
      }
    });
  }

  test('takes no further put once a folder could not be synced', async () => {
    const disk = lossyDisk({
      fault: call =>
        call.operation === 'syncFolder' && call.path.endsWith('packs/0a') ? diskError('EIO') : undefined,
    });
    const backend = await openLocalBackend(root, { create: true, fileSystem: disk.fileSystem });
    await backend.put('packs/0a/one', bytes, { sync: 'deferred' });
    await assert.rejects(backend.sync(), { code: 'STORE_WRITE_FAILED' });
    await assert.rejects(backend.put('manifests/four', bytes), { code: 'STORE_WRITE_FAILED' });
    await assert.rejects(backend.sync(), { code: 'STORE_WRITE_FAILED' });
  });

  test('throws from a list that fails, at whichever call, and never ends it early', async () => {
    for (const operation of ['readFolder', 'stat'] as const) {
      for (const errno of ['EIO', 'EACCES', 'ESTALE']) {
        let failing = '';
        const disk = lossyDisk({
          fault: call =>
            call.operation === operation && call.path.endsWith(failing) && failing !== ''
              ? diskError(errno)
              : undefined,
        });
        const backend = await openLocalBackend(root, { create: true, fileSystem: disk.fileSystem });
        for (const name of plan) await backend.put(name, bytes);
        failing = operation === 'stat' ? '/two' : '/packs/0b';
        await assert.rejects(collect(backend.list('')), { code: 'STORE_READ_FAILED' });
      }
    }
  });

  test('asks a network file system anew before it lists', async () => {
    const disk = lossyDisk();
    const backend = await openLocalBackend(root, {
      create: true,
      fileSystem: { ...disk.fileSystem, isNetwork: async () => true },
    });
    await backend.put('gc/1', bytes);
    const before = disk.calls.length;
    assert.equal((await collect(backend.list('gc/'))).length, 1);
    const operations = disk.calls.slice(before).map(call => call.operation);
    assert.deepEqual(operations.slice(0, 4), ['create', 'close', 'unlink', 'readFolder']);
  });
});
