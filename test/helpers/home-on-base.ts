import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { HomeOptions } from '../../engine/home/index.ts';
import { systemClock } from '../../store/index.ts';
import { memoryChunks } from './memory-chunks.ts';
import { type CapturedHome, captureHome as captureWith, type Meanwhile } from './one-home.ts';

/** Waits until what was just written is clearly old. */
export const age = (): Promise<void> => systemClock.sleep(60);

const { cuts: standard } = memoryChunks();
/** Small nodes and chunks, so that few files make many of them. */
export const cuts: HomeOptions['cuts'] = {
  ...standard,
  data: { ...standard.data, minBytes: 8192, averageBytes: 16384, maxBytes: 65536 },
  nodes: { ...standard.nodes, minBytes: 512, averageBytes: 1536, maxBytes: 6144 },
};

export const captureHome = (
  root: string,
  options: Partial<HomeOptions> & Meanwhile = {},
): Promise<CapturedHome> => captureWith(root, { cuts, ...options });

export interface Next extends CapturedHome {
  /** Paths below the root whose content was read, by either look. */
  readonly read: readonly string[];
  readonly puts: number;
}

/** Backs up again on top of an earlier run. */
export async function next(
  root: string,
  before: CapturedHome,
  options: Partial<HomeOptions> & Meanwhile = {},
): Promise<Next> {
  const read: string[] = [];
  let puts = 0;
  before.chunks.onPut = () => puts++;
  const captured = await captureHome(root, {
    base: before.base,
    chunks: before.chunks,
    readSeam: (path, moment) => {
      if (moment === 'opened') read.push(path.toString('latin1').slice(root.length + 1));
    },
    ...options,
  });
  before.chunks.onPut = () => {};
  return { ...captured, read, puts };
}

/** Fails unless a run without a base gives the very same listing. */
export async function assertAsIfWhole(
  root: string,
  found: CapturedHome,
  options: Partial<HomeOptions> = {},
): Promise<void> {
  const whole = await captureHome(root, options);
  assert.deepEqual(found.entries, whole.entries);
  assert.deepEqual(found.result.roots, whole.result.roots);
  for (const count of ['files', 'folders', 'bytes'] as const)
    assert.equal(found.result[count], whole.result[count], count);
}

export const [folders, perFolder] = [12, 12];

export function plant(root: string): void {
  mkdirSync(`${root}/b/c`, { recursive: true });
  mkdirSync(`${root}/gone`);
  writeFileSync(`${root}/a`, 'a');
  writeFileSync(`${root}/b/c/deep`, 'deep');
  writeFileSync(`${root}/b/long`, 'long '.repeat(1000));
  writeFileSync(`${root}/gone/file`, 'gone');
  writeFileSync(`${root}/log`, 'log '.repeat(100));
  writeFileSync(`${root}/ref`, '1'.repeat(41));
  for (let folder = 0; folder < folders; folder++) {
    mkdirSync(`${root}/many/${String(folder).padStart(2, '0')}`, { recursive: true });
    for (let i = 0; i < perFolder; i++)
      writeFileSync(`${root}/many/${String(folder).padStart(2, '0')}/${i}`, 'x'.repeat(100));
  }
}

/** A planted home and its first backup. */
export async function started(root: string, options: Partial<HomeOptions> = {}): Promise<CapturedHome> {
  plant(root);
  await age();
  return captureHome(root, options);
}
