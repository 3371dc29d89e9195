import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Backend, ListedObject } from '../../../store/backend/index.ts';

/** How a suite gets at one kind of backend. */
export interface BackendMaker {
  /** An empty one. */
  make(): Promise<Backend>;
  /** A second one on the same objects, as another process has it. */
  again(backend: Backend): Promise<Backend>;
}

/** What every backend must do; `store/backend/backend.ts` says why. A suite calls it once. */
export function backendContract(name: string, { make, again }: BackendMaker): void {
  describe(`the contract of a backend: ${name}`, () => {
    test('gives back the bytes that were put', async () => {
      const backend = await make();
      assert.equal(await backend.put('packs/0a/one', bytesOf(1, 2, 3)), 'created');
      assert.deepEqual(await backend.get('packs/0a/one'), bytesOf(1, 2, 3));
      assert.deepEqual(await (await again(backend)).get('packs/0a/one'), bytesOf(1, 2, 3));
    });

    test('joins the parts of a put, and takes an object without bytes', async () => {
      const backend = await make();
      await backend.put('a', [bytesOf(1), bytesOf(), bytesOf(2, 3)]);
      await backend.put('b', bytesOf());
      assert.deepEqual(await backend.get('a'), bytesOf(1, 2, 3));
      assert.deepEqual(await backend.get('b'), bytesOf());
    });

    test('does not keep the memory that it was given, nor give out what it keeps', async () => {
      const backend = await make();
      const bytes = bytesOf(1, 2, 3);
      await backend.put('a', bytes);
      bytes.fill(9);
      (await backend.get('a')).fill(8);
      assert.deepEqual(await backend.get('a'), bytesOf(1, 2, 3));
    });

    test('never overwrites: the second put of a name answers exists', async () => {
      const backend = await make();
      await backend.put('config', bytesOf(1));
      assert.equal(await backend.put('config', bytesOf(2, 2)), 'exists');
      assert.equal(await (await again(backend)).put('config', bytesOf(3)), 'exists');
      assert.deepEqual(await backend.get('config'), bytesOf(1));
    });

    test('lets one of many racing puts of a name win, and keeps the bytes of the winner', async () => {
      const backend = await make();
      const racers = [backend, await again(backend), await again(backend)];
      for (let round = 0; round < 5; round += 1) {
        const outcomes = await Promise.all(
          Array.from({ length: 9 }, (_, index) =>
            racers[index % 3]!.put(`gc/${round}.sweep`, bytesOf(index)),
          ),
        );
        const winners = outcomes.flatMap((outcome, index) => (outcome === 'created' ? [index] : []));
        assert.equal(winners.length, 1);
        assert.deepEqual(await backend.get(`gc/${round}.sweep`), bytesOf(winners[0]!));
      }
    });

    test('reads any range within an object', async () => {
      const backend = await make();
      const whole = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);
      await backend.put('a', whole);
      await fc.assert(
        fc.asyncProperty(fc.nat(1000), fc.nat(1000), async (first, second) => {
          const [offset, end] = [Math.min(first, second), Math.max(first, second)];
          const read = await backend.get('a', { offset, length: end - offset });
          assert.deepEqual(read, whole.slice(offset, end));
        }),
        { numRuns: 30 },
      );
      assert.deepEqual(await backend.get('a', { offset: 990 }), whole.slice(990));
    });

    test('calls a range beyond the end damage', async () => {
      const backend = await make();
      await backend.put('a', bytesOf(1, 2, 3));
      await assert.rejects(backend.get('a', { offset: 2, length: 2 }), { code: 'STORE_DAMAGED' });
      await assert.rejects(backend.get('a', { offset: 4 }), { code: 'STORE_DAMAGED' });
    });

    test('does not read an object that is larger than plausible', async () => {
      const backend = await make();
      await backend.put('a', new Uint8Array(100));
      await assert.rejects(backend.get('a', { bytesMax: 99 }), { code: 'STORE_DAMAGED' });
      assert.equal((await backend.get('a', { bytesMax: 100 })).length, 100);
    });

    test('says that an object is missing', async () => {
      const backend = await make();
      await assert.rejects(backend.get('manifests/none'), { code: 'STORE_OBJECT_MISSING' });
    });

    test('lists what begins with a prefix, with sizes, in the order of names', async () => {
      const backend = await make();
      const names = [
        'config',
        'gc/1',
        'gc/1.done',
        'gc/10',
        'gc/2',
        'gc-x',
        'packs/0a/a',
        'packs/0a.b',
        'packs/ff/a',
      ];
      for (const name of names) await backend.put(name, new Uint8Array(name.length));
      const listed = (prefix: string): Promise<ListedObject[]> => collect(backend.list(prefix));
      const all = await listed('');
      assert.deepEqual(
        all,
        [...names].sort().map(name => ({ name, bytes: name.length })),
      );
      for (const prefix of [
        'gc/',
        'gc/1',
        'gc',
        'packs/',
        'packs/0',
        'packs/0a/',
        'p',
        'none/',
        'config',
        'configs',
      ]) {
        assert.deepEqual(
          await listed(prefix),
          all.filter(({ name }) => name.startsWith(prefix)),
          prefix,
        );
      }
    });

    test('shows an object in the first list after its put, and no longer after its delete', async () => {
      const backend = await make();
      const other = await again(backend);
      for (let round = 0; round < 5; round += 1) {
        await backend.put(`intents/${round}`, bytesOf());
        assert.equal((await collect(other.list('intents/'))).length, 1);
        await other.delete(`intents/${round}`);
        assert.equal((await collect(backend.list('intents/'))).length, 0);
      }
    });

    test('deletes what is there and is content with what is not', async () => {
      const backend = await make();
      await backend.put('a', bytesOf(1));
      await backend.delete('a');
      await backend.delete('a');
      await backend.delete('intents/never');
      await assert.rejects(backend.get('a'), { code: 'STORE_OBJECT_MISSING' });
      assert.equal(await backend.put('a', bytesOf(2)), 'created');
    });

    test('takes deferred puts, which are there at once, and syncs them', async () => {
      const backend = await make();
      assert.equal(await backend.put('packs/0a/one', bytesOf(1), { sync: 'deferred' }), 'created');
      assert.deepEqual(await backend.get('packs/0a/one'), bytesOf(1));
      await backend.sync();
      await backend.sync();
    });

    test('refuses names that could leave the store or hide in it', async () => {
      const backend = await make();
      const hostile = [
        '',
        '.',
        '..',
        '../a',
        'a/../b',
        '/a',
        'a/',
        'a//b',
        '.tmp-1',
        'a/.b',
        'A',
        'ä',
        'a\0b',
        'a b',
        'a\\b',
      ];
      for (const name of [...hostile, 'a/b/c/d/e', 'a'.repeat(201)]) {
        await assert.rejects(backend.put(name, bytesOf()), TypeError, name);
        await assert.rejects(backend.get(name), TypeError, name);
        await assert.rejects(backend.delete(name), TypeError, name);
      }
      for (const prefix of ['/', '..', '../', 'a//', '.']) {
        await assert.rejects(collect(backend.list(prefix)), TypeError, prefix);
      }
    });

    test('does nothing once its signal has aborted', async () => {
      const backend = await make();
      const reason = new Error('stop');
      const options = { signal: AbortSignal.abort(reason) };
      const isReason = (error: unknown): boolean => error === reason;
      await backend.put('there', bytesOf(1));
      await assert.rejects(backend.put('a', bytesOf(), options), isReason);
      await assert.rejects(backend.get('there', options), isReason);
      await assert.rejects(backend.delete('there', options), isReason);
      await assert.rejects(collect(backend.list('', options)), isReason);
      assert.deepEqual(await collect(backend.list('')), [{ name: 'there', bytes: 1 }]);
    });

    test('closes more than once', async () => {
      const backend = await make();
      await backend.close();
      await backend.close();
    });
  });
}

export function bytesOf(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}
