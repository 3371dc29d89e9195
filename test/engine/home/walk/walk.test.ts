import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareSiblings } from '../../../../engine/home/paths.ts';
import { readListing, systemClock } from '../../../../store/index.ts';
import { captureHome } from '../../../helpers/one-home.ts';
import { scratchFolder } from '../../../helpers/scratch.ts';

/** Names that differ just where order is decided: around the slash, in length, above ASCII. */
const name = fc
  .array(fc.constantFrom('a', 'b', ' ', '!', '-', '.', '0', '\xff', '\x01'), { minLength: 1, maxLength: 3 })
  .map(letters => letters.join(''))
  .filter(text => text !== '.' && text !== '..');
const names = fc.uniqueArray(fc.record({ name, folder: fc.boolean() }), {
  minLength: 1,
  maxLength: 8,
  selector: sibling => sibling.name,
});
const tree = fc.record({ top: names, inner: names });

interface Tree {
  readonly top: readonly Sibling[];
  readonly inner: readonly Sibling[];
}
interface Sibling {
  readonly name: string;
  readonly folder: boolean;
}

function plant(root: string, { top, inner }: Tree): void {
  for (const outer of top) {
    make(root, outer);
    if (outer.folder) for (const one of inner) make(`${root}/${outer.name}`, one);
  }
}

function make(parent: string, { name: text, folder }: Sibling): void {
  const path = Buffer.from(`${parent}/${text}`, 'latin1');
  if (folder) mkdirSync(path);
  else writeFileSync(path, 'x');
}

async function keysOf({ chunks, result }: Awaited<ReturnType<typeof captureHome>>): Promise<Buffer[]> {
  const keys: Buffer[] = [];
  for await (const entry of readListing(chunks, result.roots[0]!.listing)) keys.push(Buffer.from(entry.key));
  return keys;
}

const expectedKeys = ({ top, inner }: Tree): Buffer[] =>
  top
    .flatMap(outer => [
      `/${outer.name}${outer.folder ? '/' : ''}`,
      ...(outer.folder ? inner.map(one => `/${outer.name}/${one.name}${one.folder ? '/' : ''}`) : []),
    ])
    .concat('/')
    .map(key => Buffer.from(key, 'latin1'))
    .sort(Buffer.compare);

test('a listing holds every name once, in the order of its bytes', async () => {
  await fc.assert(
    fc.asyncProperty(tree, async made => {
      using scratch = scratchFolder();
      plant(scratch.path, made);
      assert.deepEqual(await keysOf(await captureHome(scratch.path)), expectedKeys(made));
    }),
    { numRuns: 15 },
  );
});

test('the window finds exactly what is there, whatever came and went before it', async () => {
  await fc.assert(
    fc.asyncProperty(tree, tree, fc.boolean(), async (before, after, aged) => {
      using scratch = scratchFolder();
      const root = `${scratch.path}/home`;
      mkdirSync(root);
      plant(root, before);
      if (aged) await systemClock.sleep(40);
      const captured = await captureHome(root, {
        beforeWindow: () => {
          // what is in both stays as it is: the walk must match it with its first look
          for (const sibling of before.top) {
            const kept = after.top.some(one => compareSiblings(one, sibling) === 0);
            if (!kept) rmSync(Buffer.from(`${root}/${sibling.name}`, 'latin1'), { recursive: true });
          }
          const [grown, same] = [after.top, before.top].map(list => list);
          for (const sibling of grown!) {
            if (same!.some(one => compareSiblings(one, sibling) === 0)) continue;
            make(root, sibling);
            if (sibling.folder) for (const one of before.inner) make(`${root}/${sibling.name}`, one);
          }
        },
      });
      assert.deepEqual(captured.result.unreadable, []);
      assert.deepEqual(await keysOf(captured), expectedKeys({ top: after.top, inner: before.inner }));
    }),
    { numRuns: 15 },
  );
});
