import assert from 'node:assert/strict';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { bytePathOfText } from '../../../../engine/home/paths.ts';
import { origins, RowSequence } from '../../../../engine/home/rows/sequence.ts';
import { EntryTable } from '../../../../engine/home/rows/table.ts';
import { blocksOf, lookAtBlocks, type SteadyWork } from '../../../../engine/home/steady/blocks.ts';
import { findSteady, type SteadyOptions } from '../../../../engine/home/steady/find.ts';
import { type Askers, jobOf, runSteadyJob, startAskers } from '../../../../engine/home/steady/job.ts';
import type { SteadyRules } from '../../../../engine/home/steady/judge.ts';
import { SteadyPass } from '../../../../engine/home/steady/pass.ts';
import { halvesOf } from '../../../../engine/home/steady/raw-times.ts';
import { partsOf } from '../../../../engine/home/system/device.ts';
import { statCalls } from '../../../../engine/home/system/stat.ts';
import { walk } from '../../../../engine/home/walk/walk.ts';
import { systemClock } from '../../../../store/index.ts';
import { needLibc } from '../../../helpers/home-tree.ts';
import { captureHome } from '../../../helpers/one-home.ts';
import { scratchFolder } from '../../../helpers/scratch.ts';

const libc = await needLibc();
const { statx } = libc;
assert.ok(statx);
/** More than one block. */
const wide = 1_100;

interface Looked {
  readonly rows: RowSequence;
  readonly rules: SteadyRules;
}

/** Folders in folders, a wide one, and a repository, looked at and then changed here and there. */
async function changedTree(root: string): Promise<Looked> {
  for (const folder of ['a/b/c/d', 'r/objects/ab', 'r/refs', 'wide', 'z/y'])
    mkdirSync(`${root}/${folder}`, { recursive: true });
  const repository = ['r/HEAD', 'r/objects/ab/00', 'r/objects/ab/11'];
  const names = ['a/1', 'a/b/2', 'a/b/c/3', 'a/b/c/d/4', 'a/b/z', ...repository, 'z/y/5'];
  for (let i = 0; i < wide; i++) names.push(`wide/${i}`);
  for (const name of names) writeFileSync(`${root}/${name}`, name);
  await systemClock.sleep(60);
  const looked = look(root);
  for (const name of ['a/b/2', 'r/HEAD', 'wide/7', `wide/${wide - 1}`])
    writeFileSync(`${root}/${name}`, `${name} anew`);
  renameSync(`${root}/z/y/5`, `${root}/z/y/6`);
  return looked;
}

function look(path: string): Looked {
  const root = bytePathOfText(path);
  const table = new EntryTable();
  const open: number[] = [];
  const stat = statCalls({ libc });
  for (const event of walk({ root, stat, isExcluded: () => false })) {
    if (event.kind === 'leave') table.endFolder(open.pop()!);
    if (event.kind !== 'found') continue;
    const at = table.add({ ...event.entry, fileSystem: 0, xattrs: [] });
    if (table.isFolder(at)) open.push(at);
  }
  const rows = new RowSequence([table]);
  rows.push(origins.base, 0, table.count);
  const judge = { ...partsOf(stat.path(root)!.dev), ...halvesOf(systemClock.nowNs() - 20_000_000n) };
  const rules = { comparesLinks: true, doubtsFolders: false, trustsObjects: true };
  return { rows, rules: { root, judges: [judge], ...rules } };
}

const workOn = (rows: RowSequence, rowsPerBlock?: number): SteadyWork => ({
  blocks: blocksOf(rows, rowsPerBlock),
  count: rows.count,
  marks: new Uint8Array(new SharedArrayBuffer(rows.count)),
  progress: new Int32Array(new SharedArrayBuffer(8)),
});

async function steadyNames({ rows, rules }: Looked, options: Partial<SteadyOptions> = {}): Promise<string[]> {
  assert.ok(statx);
  const steady = await findSteady(rows, { rules, statx, rest: () => true, ...options });
  return namesOf(rows, at => steady.has(at));
}

const namesOf = (rows: RowSequence, isSteady: (at: number) => boolean): string[] =>
  Array.from({ length: rows.count }, (_, at) => at)
    .filter(isSteady)
    .map(at => `${at} ${rows.name(at)}`);

test('rows that are looked at in blocks, in whatever order, are judged as they are one after the other', async () => {
  using scratch = scratchFolder();
  const looked = await changedTree(scratch.path);
  const { rows, rules } = looked;
  const whole = await steadyNames(looked);
  // four files that were written, one that has another name, and the folder of that one
  assert.equal(rows.count - whole.length, 6);
  for (const rowsPerBlock of [1, 2, 5, 700]) {
    const work = workOn(rows, rowsPerBlock);
    for (let block = work.blocks.count - 1; block >= 0; block--) {
      const pass = new SteadyPass({ rows, marks: work.marks, rules, statx });
      const one = { ...work, blocks: { ...work.blocks, count: block + 1 } };
      work.progress[0] = block;
      for (const _ of lookAtBlocks(pass, one));
      pass.close();
    }
    const marked = namesOf(rows, at => work.marks[at] === 1);
    assert.deepEqual(marked, whole, `${rowsPerBlock} rows in a block`);
  }
});

test('a thread that is told of the rows judges them as the main one does', async () => {
  using scratch = scratchFolder();
  const looked = await changedTree(scratch.path);
  const { rows, rules } = looked;
  const work = workOn(rows);
  runSteadyJob(structuredClone(jobOf(rows, { rules, work })), statx);
  assert.deepEqual(
    namesOf(rows, at => work.marks[at] === 1),
    await steadyNames(looked),
  );
});

test('threads beside the main one, also those that die, change nothing of what is found', async () => {
  using scratch = scratchFolder();
  const looked = await changedTree(scratch.path);
  const whole = await steadyNames(looked);
  await using askers = startAskers(0, 2);
  for (let run = 0; run < 3; run++) assert.deepEqual(await steadyNames(looked, { askers }), whole);
  const dying: Pick<Askers, 'size' | 'run'> = {
    size: 1,
    run: async () => Promise.reject(new Error('ended')),
  };
  assert.deepEqual(await steadyNames(looked, { askers: dying as Askers }), whole);
});

test('what the wait for a thread is cancelled for is thrown, and rows that it did not judge are in doubt', async () => {
  using scratch = scratchFolder();
  const looked = await changedTree(scratch.path);
  const stuck: Pick<Askers, 'size' | 'run'> = {
    size: 1,
    run: ({ work }) => {
      work.progress[0] = 1; // took the first block, and never comes back
      return new Promise<null>(() => {});
    },
  };
  let questions = 0;
  const rest = () => {
    if (++questions > 40) throw new Error('cancelled');
    return true;
  };
  await assert.rejects(steadyNames(looked, { askers: stuck as Askers, rest }), /cancelled/);
  const names = await steadyNames(looked, { askers: stuck as Askers, rest: () => ++questions < 70 });
  assert.ok(names.length > 0 && names.length < wide);
});

test('a home with threads that ask is captured as without', async () => {
  using scratch = scratchFolder();
  await changedTree(scratch.path);
  await systemClock.sleep(60);
  const first = await captureHome(scratch.path, { askers: 1 });
  const beforeWindow = () => writeFileSync(`${scratch.path}/wide/9`, 'in between');
  const { chunks, base } = first;
  const second = await captureHome(scratch.path, { askers: 1, chunks, base, beforeWindow });
  assert.equal(second.result.changedInLatch, 1);
  assert.equal(await second.text('wide/9'), 'in between');
  assert.equal(second.entries.size, first.entries.size);
});
