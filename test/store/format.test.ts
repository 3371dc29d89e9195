import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { hex } from '../../store/index.ts';

// A block ```hex FILE``` shows a golden file, whole or from its start: lines of offset, hex, meaning.
const root = new URL('../../../', import.meta.url);
const document = await readFile(new URL('store/FORMAT.md', root), 'utf8');
const blocks = [...document.matchAll(/^```hex (\S+)\n([\s\S]*?)^```$/gm)];

test('FORMAT.md has worked examples', () => {
  assert.ok(blocks.length > 0);
});

for (const [, path, block] of blocks) {
  test(`the hex in FORMAT.md is that of ${path}`, async () => {
    const golden = hex(await readFile(new URL(path!, root)));
    let next = 0;
    for (const line of block!.trimEnd().split('\n')) {
      const [, offset, bytes] =
        /^ *(\d+) {2}([0-9a-f]+) /.exec(line) ?? assert.fail(`not a line of hex: ${line}`);
      assert.equal(Number(offset), next, line);
      assert.equal(bytes, golden.slice(2 * next, 2 * next + bytes!.length), line);
      next += bytes!.length / 2;
    }
  });
}

test('every golden file that FORMAT.md names is there', async () => {
  const named = [...document.matchAll(/`(test\/golden\/[^`]*?[^/`])`/g)].map(([, path]) => path!);
  assert.ok(named.length > 0);
  for (const path of new Set(named)) assert.ok((await readFile(new URL(path, root))).length > 0, path);
});
