import assert from 'node:assert/strict';
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { rollDice } from '../../../../bench/instance/random.ts';
import { type Home, openHome } from '../../../../engine/home/index.ts';
import { contentBytes } from '../../../../engine/ingest/index.ts';
import { systemClock } from '../../../../store/index.ts';
import { memoryChunks } from '../../../helpers/memory-chunks.ts';
import { entriesOf } from '../../../helpers/one-home.ts';
import { scratchFolder } from '../../../helpers/scratch.ts';

const bytes = rollDice(3).bytes(300_000);
const name = `pack-${'a'.repeat(40)}.pack`;

/** A repository that gets a pack after the pre-scan, captured. */
async function captured(root: string) {
  const repository = join(root, 'r.git');
  const folder = join(repository, 'objects', 'pack');
  for (const made of [folder, join(repository, 'refs'), join(root, 'other', 'objects', 'pack')])
    mkdirSync(made, { recursive: true });
  writeFileSync(join(repository, 'HEAD'), 'ref: refs/heads/main\n');
  const chunks = memoryChunks();
  const home = await openHome({ root, sink: chunks, cuts: chunks.cuts, clock: systemClock });
  await home.prescan();
  const path = join(folder, name);
  const look = join(root, 'other', 'objects', 'pack', name);
  writeFileSync(path, bytes);
  writeFileSync(look, bytes);
  linkSync(path, join(folder, `second-${name}`));
  const { keptBytes } = await home.capture({ budgetBytes: 1 << 24 });
  return { chunks, home, path, look, keptBytes };
}

async function contentOf(
  home: Home,
  chunks: ReturnType<typeof memoryChunks>,
  path: string,
): Promise<Uint8Array> {
  const result = await home.finish();
  const entries = await entriesOf(chunks, result.roots[0]!.listing);
  return contentBytes(chunks, entries.get(path)!.content!, { bytesMax: 1 << 24 });
}

const held = (path: string): boolean =>
  readdirSync('/proc/self/fd').some(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(path);
    } catch {
      return false;
    }
  });

test('a pack that came after the pre-scan is read after the window, even when its name is gone by then', async () => {
  using scratch = scratchFolder();
  const { chunks, home, path, look, keptBytes } = await captured(scratch.path);
  await using _ = home;
  assert.equal(keptBytes, bytes.length, 'what only looks like one is read in the window');
  assert.ok(held(path) && !held(look));
  rmSync(path);
  assert.deepEqual(await contentOf(home, chunks, `r.git/objects/pack/${name}`), new Uint8Array(bytes));
  assert.ok(!held(path));
});

test('a pack that somebody writes to after the window ends the backup', async () => {
  using scratch = scratchFolder();
  const { home, path } = await captured(scratch.path);
  await using _ = home;
  appendFileSync(path, 'more');
  await assert.rejects(home.finish(), { code: 'HOME_UNREADABLE' });
});

test('a backup that ends before it read what it holds lets go of it', async () => {
  using scratch = scratchFolder();
  const { home, path } = await captured(scratch.path);
  assert.ok(held(path));
  await home[Symbol.asyncDispose]();
  assert.ok(!held(path));
});
