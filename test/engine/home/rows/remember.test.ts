import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import type { HomeBase, HomeOptions, RememberedRows } from '../../../../engine/home/index.ts';
import { makePace } from '../../../../engine/home/pace.ts';
import { bytePathOfText } from '../../../../engine/home/paths.ts';
import type { TreeBase } from '../../../../engine/home/rows/base.ts';
import { loadBase } from '../../../../engine/home/rows/load-base.ts';
import { compileExcludes, fingerprintOf } from '../../../../engine/home/rules/exclude.ts';
import { type ChunkId, hex, systemClock } from '../../../../store/index.ts';
import { age, cuts } from '../../../helpers/home-on-base.ts';
import { everyKind, pseudoRandom } from '../../../helpers/home-tree.ts';
import { type CapturedHome, captureHome, type Meanwhile } from '../../../helpers/one-home.ts';
import { scratchFolder } from '../../../helpers/scratch.ts';

interface Memory extends RememberedRows {
  readonly rows: Map<string, Uint8Array>;
  readonly keptNodes: Set<string>;
}

function memory(): Memory {
  const rows = new Map<string, Uint8Array>();
  const keptNodes = new Set<string>();
  return {
    rows,
    keptNodes,
    get: async listing => {
      const row = rows.get(hex(listing));
      return row && new Uint8Array(row);
    },
    async put(listing, parts) {
      rows.set(hex(listing), Buffer.concat([...parts].map(part => new Uint8Array(part))));
    },
    keepNode: node => void keptNodes.add(hex(node)),
  };
}

const rules = { rules: ['/hidden.git/refs'], repositories: [], isHome: true };

async function load(
  root: string,
  { base }: Pick<CapturedHome, 'base'>,
  more: Partial<HomeBase> = {},
): Promise<TreeBase> {
  const name = bytePathOfText(root);
  const plan = { root: name, name, isExcluded: await compileExcludes(rules), rules: fingerprintOf(rules) };
  const pace = makePace({ clock: systemClock, sliceMs: 1000 });
  const onNote = (note: string) => assert.fail(note);
  const loaded = await loadBase({ ...base, ...more }, plan, { clock: systemClock, pace, onNote });
  assert.ok(loaded);
  return loaded;
}

/** All that a base says, but how it was found. */
function said({ table, isRemembered: _, source: _source, has: _has, ...base }: TreeBase) {
  const rows = Array.from({ length: table.count }, (_, at) => ({
    name: table.name(at),
    ...table.state(at),
    mode: table.mode(at),
    depth: table.depth(at),
    fileSystem: table.fileSystem(at),
    owners: [table.uid(at), table.gid(at)],
    xattrs: table.xattrs(at),
    device: table.device(at),
    place: table.place(at),
    end: table.endOf(at),
    is: [table.isUntaken(at), table.isLinked(at), table.isRead(at), table.isUnsettled(at)],
    content: table.isFile(at) ? table.contentOf(at) : undefined,
    target: table.isFolder(at) || table.isFile(at) || table.device(at) !== undefined ? undefined : link(at),
  }));
  function link(at: number) {
    return (table.mode(at) & 0o170000) === 0o120000 ? table.target(at) : undefined;
  }
  return { ...base, rows };
}

/** Fails unless the remembered rows are those that the listing gives. */
async function assertRemembered(root: string, captured: CapturedHome, remembered: Memory): Promise<void> {
  const decoded = await load(root, captured);
  const recalled = await load(root, captured, { remembered });
  assert.deepEqual([decoded.isRemembered, recalled.isRemembered], [false, true]);
  assert.deepEqual(said(recalled), said(decoded));
}

async function capture(
  root: string,
  remembered: Memory,
  options: Partial<HomeOptions> & Meanwhile = {},
): Promise<CapturedHome> {
  const { base } = options;
  return captureHome(root, {
    ...{ cuts, exclude: rules.rules, remembered, ...options },
    ...(base ? { base: { ...base, remembered } } : {}),
  });
}

function plant(root: string): void {
  for (const repository of ['whole.git', 'hidden.git', 'half.git']) {
    mkdirSync(`${root}/${repository}/objects/aa`, { recursive: true });
    writeFileSync(`${root}/${repository}/HEAD`, 'ref: refs/heads/main\n');
    writeFileSync(`${root}/${repository}/objects/aa/${'b'.repeat(38)}`, pseudoRandom(300));
    if (repository !== 'half.git') mkdirSync(`${root}/${repository}/refs`);
  }
  for (let folder = 0; folder < 10; folder++) {
    mkdirSync(`${root}/many/${folder}`, { recursive: true });
    for (let i = 0; i < 12; i++) writeFileSync(`${root}/many/${folder}/${i}`, `${folder} ${i} `.repeat(40));
  }
}

test('rows that a run remembers are those that its listing gives, however they came together', async () => {
  using scratch = scratchFolder();
  const root = `${scratch.path}/home`;
  await everyKind(root);
  plant(root);
  await age();
  const remembered = memory();
  let last = await capture(root, remembered);
  await assertRemembered(root, last, remembered);

  const changes: (() => void)[] = [
    () => appendFileSync(`${root}/many/3/4`, 'more'),
    () => {
      renameSync(`${root}/many/5`, `${root}/many/55`);
      mkdirSync(`${root}/fresh/inner`, { recursive: true });
      writeFileSync(`${root}/fresh/inner/large`, pseudoRandom(200_000));
      linkSync(`${root}/many/7/1`, `${root}/fresh/linked`);
    },
    () => {
      rmSync(`${root}/whole.git`, { recursive: true });
      unlinkSync(`${root}/fresh/linked`);
      chmodSync(`${root}/many/0/0`, 0o600);
    },
    () => {},
  ];
  for (const change of changes) {
    change();
    await age();
    const { chunks, base } = last;
    last = await capture(root, remembered, {
      chunks,
      base,
      beforeWindow: () => appendFileSync(`${root}/many/9/9`, 'in the window'),
    });
    await assertRemembered(root, last, remembered);
  }
});

test('a remembered base gives the listing that the decoded one gives, and says which nodes it needs', async () => {
  using scratch = scratchFolder();
  const root = `${scratch.path}/home`;
  mkdirSync(root);
  plant(root);
  await age();
  const remembered = memory();
  const first = await capture(root, remembered);
  appendFileSync(`${root}/many/2/2`, 'more');
  await age();
  const { chunks, base } = first;
  const recalled = await capture(root, remembered, { chunks, base });
  const decoded = await captureHome(root, { cuts, exclude: rules.rules, chunks, base });
  assert.deepEqual(recalled.result.roots, decoded.result.roots);
  assert.equal(recalled.scan.read.files, 1);
  assert.ok(remembered.keptNodes.has(hex(first.result.roots[0]!.listing.id)));
  assert.ok(remembered.keptNodes.size > 5);
});

test('a file whose chunk a new snapshot may not depend on is read again from remembered rows too', async () => {
  using scratch = scratchFolder();
  const root = `${scratch.path}/home`;
  await everyKind(root);
  plant(root);
  await age();
  const remembered = memory();
  const captured = await capture(root, remembered);
  const { base } = captured;
  const { content } = captured.entries.get('many/4/4')!;
  assert.ok(content && 'extents' in content && content.extents[0]?.kind === 'chunk');
  const lost = hex(content.extents[0].id);
  const has = (id: ChunkId, chunkClass: 'data' | 'metadata') => hex(id) !== lost && base.has(id, chunkClass);
  const [decoded, recalled] = [
    await load(root, captured, { has }),
    await load(root, captured, { has, remembered }),
  ];
  assert.equal(recalled.isRemembered, true);
  // what a lost chunk's row says of the newest time may stay: it only makes the test of the clock stricter
  const { newestNs: _a, ...ofRecalled } = said(recalled);
  const { newestNs: _b, ...ofDecoded } = said(decoded);
  assert.deepEqual(ofRecalled, ofDecoded);
  const doubted = async (more: Partial<HomeBase>) =>
    said(await load(root, captured, more)).rows.filter(row => row.is[0]).length;
  assert.equal(await doubted({ has, remembered }), 1 + (await doubted({ remembered })));
});

test('rows of another form, and of another number than the listing has, are not remembered', async () => {
  using scratch = scratchFolder();
  const root = `${scratch.path}/home`;
  mkdirSync(root);
  plant(root);
  await age();
  const remembered = memory();
  const captured = await capture(root, remembered);
  const [[id, row]] = [...remembered.rows] as [[string, Uint8Array]];
  remembered.rows.set(
    id,
    row.map((byte, at) => (at === row.length - 1 ? byte ^ 1 : byte)),
  );
  assert.equal((await load(root, captured, { remembered })).isRemembered, false);
  writeFileSync(`${root}/one-more`, '');
  const other = memory();
  await capture(root, other);
  remembered.rows.set(id, [...other.rows.values()][0]!);
  assert.equal((await load(root, captured, { remembered })).isRemembered, false);
  remembered.rows.set(id, new Uint8Array(3));
  assert.equal((await load(root, captured, { remembered })).isRemembered, false);
});
