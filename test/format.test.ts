import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { hex } from '../store/index.ts';
import { projectRoot } from './helpers/project.ts';

// A block ```hex FILE``` shows a golden file, whole or from its start: lines of offset, hex, meaning.
const read = (path: string) => readFile(join(projectRoot, path));

for (const format of ['store/FORMAT.md', 'engine/FORMAT.md']) {
  const document = (await read(format)).toString('utf8');
  const blocks = [...document.matchAll(/^```hex (\S+)\n([\s\S]*?)^```$/gm)];

  test(`${format} has worked examples`, () => {
    assert.ok(blocks.length > 0);
  });

  for (const [, path, block] of blocks) {
    test(`the hex in ${format} is that of ${path}`, async () => {
      const golden = hex(await read(path!));
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

  test(`every golden file that ${format} names is there`, async () => {
    const named = [...document.matchAll(/`(test\/golden\/[^`]*?[^/`])`/g)].map(([, path]) => path!);
    assert.ok(named.length > 0);
    for (const path of new Set(named)) assert.ok((await read(path)).length > 0, path);
  });
}
