import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { git } from '../../../../bench/instance/git.ts';
import { rollDice } from '../../../../bench/instance/random.ts';
import { EntrySplitter, headerLength } from '../../../../engine/home/git-packs/entries.ts';
import { packReuse } from '../../../../engine/home/git-packs/index.ts';
import { KnownEntries } from '../../../../engine/home/git-packs/known-entries.ts';
import { readPackIndex } from '../../../../engine/home/git-packs/pack-index.ts';
import { storingPieces } from '../../../../engine/home/git-packs/piecewise.ts';
import { planPieces, RunList } from '../../../../engine/home/git-packs/plan.ts';
import { bytePathOfText } from '../../../../engine/home/paths.ts';
import { loadBase } from '../../../../engine/home/rows/load-base.ts';
import { statCalls } from '../../../../engine/home/system/stat.ts';
import { contentBytes } from '../../../../engine/ingest/index.ts';
import { type Content, systemClock } from '../../../../store/index.ts';
import { memoryChunks } from '../../../helpers/memory-chunks.ts';
import { type CapturedHome, captureHome } from '../../../helpers/one-home.ts';
import { scratchFolder } from '../../../helpers/scratch.ts';

const age = (): Promise<void> => systemClock.sleep(60);
const bytesMax = 1 << 26;

/** A bare repository with files that do not compress, so that its pack is large. */
class Repository {
  readonly #dice = rollDice(7);
  readonly #cwd: string;
  #commits = 0;

  constructor(cwd: string) {
    this.#cwd = cwd;
    mkdirSync(cwd, { recursive: true });
  }

  async commit(files: number): Promise<void> {
    if (this.#commits === 0) await git(['init', '--bare', '--quiet', '.'], { cwd: this.#cwd });
    let stream = '';
    for (let i = 0; i < files; i += 1) {
      const text = Buffer.from(this.#dice.bytes(1_500)).toString('base64');
      stream += `commit refs/heads/main\ncommitter test <test@localhost> ${1_700_000_000 + this.#commits} +0000\ndata 0\n`;
      if (i === 0 && this.#commits > 0) stream += 'from refs/heads/main^0\n';
      stream += `M 100644 inline file-${this.#dice.below(60)}\ndata ${text.length}\n${text}\n`;
      this.#commits += 1;
    }
    await git(['fast-import', '--quiet'], { cwd: this.#cwd, input: stream });
    await git(['repack', '-adq'], { cwd: this.#cwd });
  }

  /** The only pack's path, without the last part of its name. */
  pack(): string {
    const folder = join(this.#cwd, 'objects', 'pack');
    const [name] = readdirSync(folder).filter(one => one.endsWith('.pack'));
    return join(folder, name!.slice(0, -'.pack'.length));
  }
}

async function repacked(folder: string): Promise<{ repository: Repository; before: CapturedHome }> {
  const repository = new Repository(join(folder, 'r.git'));
  await repository.commit(300);
  await age();
  const before = await captureHome(folder);
  await repository.commit(10);
  await age();
  return { repository, before };
}

async function packOf(captured: CapturedHome): Promise<{ content: Content; bytes: Uint8Array }> {
  const [entry] = [...captured.entries].flatMap(([path, one]) => (path.endsWith('.pack') ? [one] : []));
  const { content } = entry!;
  return { content: content!, bytes: await contentBytes(captured.chunks, content!, { bytesMax }) };
}

test('of a pack that Git wrote anew, what the one before had is not stored again', async () => {
  using scratch = scratchFolder();
  const { repository, before } = await repacked(scratch.path);
  const stored = before.chunks.bytes('data');
  const after = await captureHome(scratch.path, { base: before.base, chunks: before.chunks });
  const path = `${repository.pack()}.pack`;
  const { content, bytes } = await packOf(after);
  assert.equal(Buffer.compare(bytes, readFileSync(path)), 0);
  assert.equal(content.length, statSync(path).size);
  const again = before.chunks.bytes('data') - stored;
  assert.ok(again < content.length / 5, `${again} of ${content.length} bytes were stored again`);

  await repository.commit(10);
  await age();
  const third = await captureHome(scratch.path, { base: after.base, chunks: before.chunks });
  assert.equal(Buffer.compare((await packOf(third)).bytes, readFileSync(`${repository.pack()}.pack`)), 0);
});

test('a pack whose forerunner cannot be read, or that has no index, is stored whole', async () => {
  using scratch = scratchFolder();
  const { repository, before } = await repacked(scratch.path);
  const path = `${repository.pack()}.pack`;
  const { content: old } = await packOf(before);
  const lost = { ...before.base, source: memoryChunks() };
  const unreadable = await captureHome(scratch.path, {
    base: { ...lost, source: { get: before.chunks.get } },
    chunks: before.chunks,
  });
  assert.ok((await packOf(unreadable)).content.length > 0);
  assert.ok('extents' in old);
  for (const extent of old.extents) if (extent.kind === 'chunk') before.chunks.lose(extent.id, 'data');
  const after = await captureHome(scratch.path, { base: before.base, chunks: before.chunks });
  assert.equal(Buffer.compare((await packOf(after)).bytes, readFileSync(path)), 0);

  renameSync(`${repository.pack()}.idx`, `${repository.pack()}.was`);
  const bare = await captureHome(scratch.path, { base: before.base, chunks: before.chunks });
  assert.equal(Buffer.compare((await packOf(bare)).bytes, readFileSync(path)), 0);
});

test('what was planned for a pack holds for the file that was compared and no other', async () => {
  using scratch = scratchFolder();
  const { repository, before } = await repacked(scratch.path);
  const root = bytePathOfText(scratch.path);
  const base = await loadBase(
    before.base,
    { name: root, isExcluded: () => false },
    { clock: systemClock, pace: { rest: () => undefined }, onNote: assert.fail },
  );
  const stat = statCalls({ libc: undefined });
  const path = bytePathOfText(`${repository.pack()}.pack`);
  const { chunks } = before;
  const reuse = packReuse({ ...base!, root, sink: chunks, cuts: chunks.cuts, stat, rest: () => undefined });
  const planned = await reuse.plan(path);
  const stats = stat.path(path)!;
  assert.ok(planned?.(stats));
  for (const other of [{ size: stats.size + 1 }, { mtimeNs: 1n }, { ctimeNs: 1n }, { ino: 1n }])
    assert.equal(planned?.({ ...stats, ...other }), undefined);
});

test('headers of entries end where Git says that their data begins', () => {
  assert.equal(headerLength(Uint8Array.of(0x3f, 1, 2), 20), 1); // a small blob
  assert.equal(headerLength(Uint8Array.of(0xbf, 0x81, 0x01, 9, 9), 20), 3); // a large one
  assert.equal(headerLength(Uint8Array.of(0x6f, 0x81, 0x01, 9), 20), 3); // a delta with a distance of two bytes
  assert.equal(headerLength(new Uint8Array(60).fill(0x7f, 0, 1), 20), 21); // a delta with a name
  assert.equal(headerLength(new Uint8Array(60).fill(0x7f, 0, 1), 32), 33);
});

test('an index that is cut, foreign or impossible for its pack is none', async () => {
  using scratch = scratchFolder();
  const repository = new Repository(join(scratch.path, 'r.git'));
  await repository.commit(20);
  const index = readFileSync(`${repository.pack()}.idx`);
  const { size } = statSync(`${repository.pack()}.pack`);
  const listed = (await git(['show-index'], { cwd: scratch.path, input: index })).trim().split('\n');
  assert.deepEqual(
    [...readPackIndex(index, size)!.starts],
    listed.map(line => Number(line.split(' ')[0])).sort((a, b) => a - b),
  );
  assert.equal(readPackIndex(index, 500), undefined);
  fc.assert(
    fc.property(fc.nat(index.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const damaged = new Uint8Array(index);
      damaged[at]! ^= flip;
      const layout = readPackIndex(damaged, size);
      if (!layout) return;
      const { starts, end } = layout;
      assert.ok(starts.every((start, i) => start >= 12 && start < (starts[i + 1] ?? end)));
    }),
    { numRuns: 300 },
  );
  for (let length = 0; length < index.length; length += 97)
    assert.equal(readPackIndex(index.subarray(0, length), size), undefined);
});

const entry = fc.record({ header: fc.nat(3), payload: fc.nat(12) });
const entries = fc.array(entry, { minLength: 1, maxLength: 40 });

test('any pack comes back byte for byte from pieces of any other', async () => {
  await fc.assert(
    fc.asyncProperty(
      entries,
      entries,
      fc.integer({ min: 1, max: 900 }),
      async (oldEntries, newEntries, step) => {
        const chunks = memoryChunks();
        const [old, made] = [packFrom(oldEntries), packFrom(newEntries)];
        const known = new KnownEntries(old.layout.starts.length);
        let at = 0;
        split(old, step, (header, digest) => {
          const from = old.layout.starts[at]!;
          known.add({ from, to: old.layout.starts[++at] ?? old.layout.end }, header, digest);
        });
        const runs = new RunList(made.layout, known);
        split(made, step + 7, (header, digest) => runs.add(header, digest));
        const half = old.bytes.length >> 1;
        const stored = [old.bytes.subarray(0, half), old.bytes.subarray(half)];
        const ids = await Promise.all(stored.map(bytes => chunks.put(bytes, 'data')));
        const extents = stored.map(
          ({ length }, i) => ({ kind: 'chunk', id: ids[i]!, offset: 0, length }) as const,
        );
        const pieces = planPieces(runs.finish(made.bytes.length), { starts: [0, half], extents }, () => true);
        if (!pieces) return;
        const receiver = storingPieces(pieces, { sink: chunks, cuts: chunks.cuts });
        for (let from = 0; from < made.bytes.length; from += step)
          await receiver.bytes(made.bytes.subarray(from, from + step));
        const content = await receiver.finish();
        const back = await contentBytes(chunks, content, { bytesMax });
        assert.equal(Buffer.compare(back, made.bytes), 0);
      },
    ),
    { numRuns: 200 },
  );
});

interface Made {
  readonly bytes: Uint8Array;
  readonly layout: { readonly starts: Float64Array; readonly end: number; readonly hashBytes: number };
}

/** Entries with a header of one to four bytes and one of a few payloads. */
function packFrom(parts: readonly { readonly header: number; readonly payload: number }[]): Made {
  const starts: number[] = [];
  const pieces = [Buffer.from('PACK00000000')];
  let at = 12;
  for (const { header, payload } of parts) {
    starts.push(at);
    const head = Buffer.alloc(header + 1, 0x80);
    head[0] = header === 0 ? 0x30 : 0xb0;
    if (header > 0) head[header] = 1;
    const body = Buffer.from(rollDice(payload).bytes(40 + payload * 90));
    pieces.push(head, body);
    at += head.length + body.length;
  }
  return {
    bytes: Buffer.concat([...pieces, Buffer.alloc(20, 0xee)]),
    layout: { starts: Float64Array.from(starts), end: at, hashBytes: 20 },
  };
}

function split(
  { bytes, layout }: Made,
  step: number,
  take: (header: Uint8Array, digest: Uint8Array) => void,
): void {
  const splitter = new EntrySplitter(layout, take);
  for (let from = 0; from < bytes.length; from += step) splitter.write(bytes.subarray(from, from + step));
}
