import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { type IsSame, restoreHome } from '../../../engine/home/index.ts';
import { systemClock } from '../../../store/index.ts';
import { assertEqualHomes } from '../../helpers/home-equal.ts';
import { captureHome } from '../../helpers/one-home.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

/** Something an application does to a path while it is read. What cannot be done just then is not done. */
const deeds: readonly ((path: string, other: string) => void)[] = [
  path => writeFileSync(path, 'x'.repeat(41)),
  path => writeFileSync(path, 'y'.repeat(41)),
  path => writeFileSync(path, 'large '.repeat(40_000)),
  path => appendFileSync(path, 'more'),
  path => truncateSync(path, 3),
  path => mkdirSync(path),
  path => rmSync(path, { recursive: true }),
  path => chmodSync(path, 0o700), // a folder must stay one that its owner may enter
  path => utimesSync(path, 1_000, 1_000),
  path => symlinkSync('x'.repeat(41), path),
  (path, other) => renameSync(path, other),
  (path, other) => renameSync(other, path),
  (path, other) => linkSync(path, other),
  (path, other) => {
    // as Git replaces a ref
    writeFileSync(`${path}.lock`, other.slice(-20).padEnd(41));
    renameSync(`${path}.lock`, path);
  },
];

const place = fc.constantFrom('a', 'b', 'c', 'd/a', 'd/b', 'd/e', 'd/e/a', 'd/e/b', 'd', 'z');
interface Deed {
  readonly what: number;
  readonly path: string;
  readonly other: string;
}
const deed: fc.Arbitrary<Deed> = fc.record({ what: fc.nat(deeds.length - 1), path: place, other: place });

function commit(root: string, { what, path, other }: Deed): void {
  try {
    deeds[what]!(`${root}/${path}`, `${root}/${other}`);
  } catch {
    // the path is not what this deed needs: the next one may find it so
  }
}

/** Disturbs a home while it is read, then compares what the snapshot gives back with what is there. */
async function survives(
  { before, during, after, aged }: Record<'before' | 'during' | 'after', readonly Deed[]> & { aged: boolean },
  options: { isSame?: IsSame },
): Promise<void> {
  using scratch = scratchFolder();
  const root = `${scratch.path}/home`;
  mkdirSync(`${root}/d/e`, { recursive: true });
  for (const path of ['a', 'd/b', 'd/e/a']) writeFileSync(`${root}/${path}`, 'first'.padEnd(41));
  for (const one of before) commit(root, one);
  if (aged) await systemClock.sleep(40);
  const left = [...during];
  let live = true;
  const disturb = (): void => {
    const one = live ? left.shift() : undefined;
    if (one) commit(root, one);
  };
  const { chunks, result } = await captureHome(root, {
    ...options,
    readSeam: disturb,
    statSeam: (_path, stats) => {
      disturb();
      return stats;
    },
    beforeWindow: () => {
      live = false;
      for (const one of [...left, ...after]) commit(root, one);
    },
  });
  assert.deepEqual(result.unreadable, []);
  await restoreHome({ source: chunks, root: result.roots[0]!, target: `${scratch.path}/out` });
  await assertEqualHomes(root, `${scratch.path}/out`);
}

const disturbance = fc.record({
  before: fc.array(deed, { maxLength: 12 }),
  during: fc.array(deed, { minLength: 1, maxLength: 40 }),
  after: fc.array(deed, { maxLength: 6 }),
  aged: fc.boolean(),
});

test('whatever happens to a home while it is read live, the snapshot equals what the window finds', async () => {
  await fc.assert(
    fc.asyncProperty(disturbance, made => survives(made, {})),
    { numRuns: 60 },
  );
});

test('the same disturbances defeat an engine that tells files apart by size and whole seconds', async () => {
  const weak: IsSame = (first, now) =>
    first.size === now.size && first.mtimeNs / 1_000_000_000n === now.mtimeNs / 1_000_000_000n;
  const { failed } = await fc.check(
    fc.asyncProperty(disturbance, made => survives(made, { isSame: weak })),
    { numRuns: 300, seed: 7, endOnFailure: true },
  );
  assert.equal(failed, true);
});
