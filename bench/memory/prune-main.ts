import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { putIndexPart } from '../../store/chunk-index/put-part.ts';
import {
  beginPrune,
  type ChunkId,
  createStore,
  forgetSnapshot,
  ListingBuilder,
  openLocalBackend,
  openStore,
  type PackId,
  type SessionId,
  type Store,
  storeExtents,
  systemSeams,
} from '../../store/index.ts';
import { type PackRow, packName } from '../../store/pack/row.ts';
import { packBytesOf } from '../../store/pack/trailer.ts';
import { insideOf } from '../../store/store.ts';
import { commitTree, type Known, Tree } from '../prune/tree.ts';

/**
 * What a prune takes in memory: a store whose index lists millions of chunks in packs of zeros that take no room, one snapshot
 * that needs four fifths of them, and real packs to copy from. Prints the peak of a process of its own for each size.
 */
const { values } = parseArgs({
  options: {
    chunks: { type: 'string', default: '1000000,5000000' },
    mibMax: { type: 'string', default: '700' },
    role: { type: 'string' },
    store: { type: 'string' },
  },
});
const passphrase = 'bench';
const chunksPerPack = 512;
const chunksPerFrame = 8;
const chunkBytes = 30_000;
const chunksPerFile = 8;

if (values.role === 'build') await build(values.store!, Number(values.chunks));
else if (values.role === 'prune') await prune(values.store!);
else process.exitCode = measure() ? 0 : 1;

function measure(): boolean {
  let isFine = true;
  const peaks: { chunks: number; bytes: number }[] = [];
  for (const chunks of values.chunks.split(',').map(Number)) {
    const folder = mkdtempSync(join(tmpdir(), 'bench-memory-'));
    try {
      run('build', folder, chunks);
      const { peakBytes, byPhase, deletedPacks, rewrittenPacks, ms } = JSON.parse(
        run('prune', folder, chunks),
      ) as Told;
      const phases = Object.entries(byPhase).map(([phase, bytes]) => `${phase} ${mib(bytes)}`);
      peaks.push({ chunks, bytes: peakBytes });
      const fits = peakBytes <= Number(values.mibMax) * 2 ** 20;
      isFine &&= fits;
      say(
        `${chunks} chunks: peak ${mib(peakBytes)}${fits ? '' : ` (wanted: at most ${values.mibMax} MiB)`}, ` +
          `by the end of ${phases.join(', ')}; ${deletedPacks} packs went, ${rewrittenPacks} copied from, ${(ms / 1000).toFixed(1)} s`,
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  const [first, last] = [peaks[0]!, peaks.at(-1)!];
  if (last.chunks > first.chunks)
    say(`${mib(((last.bytes - first.bytes) / (last.chunks - first.chunks)) * 1e6)} per million chunks`);
  return isFine;
}

interface Told {
  readonly peakBytes: number;
  /** The peak by the end of each. */
  readonly byPhase: Readonly<Record<string, number>>;
  readonly deletedPacks: number;
  readonly rewrittenPacks: number;
  readonly ms: number;
}

function run(role: string, folder: string, chunks: number): string {
  const argv = [
    fileURLToPath(import.meta.url),
    '--role',
    role,
    '--store',
    folder,
    '--chunks',
    String(chunks),
  ];
  const { status, stdout } = spawnSync(process.execPath, argv, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`${role} ended with ${status}`);
  return stdout;
}

async function prune(folder: string): Promise<void> {
  await using store = await openStore(await openLocalBackend(folder), { passphrase, seams: systemSeams });
  const startedMs = systemSeams.clock.monotonicMs();
  await using session = await beginPrune(store, { host: 'bench' });
  const onProgress = ({ phase }: { readonly phase: string }) => {
    peaks.set(phase, process.resourceUsage().maxRSS * 1024);
  };
  const peaks = new Map<string, number>();
  const { deletedPacks, rewrittenPacks } = await session.reclaim({ onProgress });
  const ms = systemSeams.clock.monotonicMs() - startedMs;
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  const told: Told = { peakBytes, byPhase: Object.fromEntries(peaks), deletedPacks, rewrittenPacks, ms };
  process.stdout.write(JSON.stringify(told));
}

async function build(folder: string, chunks: number): Promise<void> {
  await using store = await createStore(await openLocalBackend(folder, { create: true }), {
    passphrase,
    seams: systemSeams,
  });
  await listZeros(store, { folder, chunks });
  await commitNeeded(store, Math.floor(chunks * 0.8));
  const tree = new Tree({ files: 40_000, changedPerState: 20_000, bytesMax: 8_000 });
  const known: Known = new Map();
  const first = await commitTree(store, tree, { known });
  tree.advance();
  await commitTree(store, tree, { known });
  await forgetSnapshot(store, first, { reason: 'bench' });
}

/** Index parts for packs of which every byte is a hole of the file system. */
async function listZeros(
  store: Store,
  { folder, chunks }: { readonly folder: string; readonly chunks: number },
): Promise<void> {
  const { context } = insideOf(store);
  const session = 'aa'.repeat(32) as SessionId;
  let rows: PackRow[] = [];
  for (let first = 0; first < chunks; first += chunksPerPack) {
    const row = rowOf(first);
    rows.push(row);
    const path = join(folder, packName(row.pack));
    mkdirSync(join(path, '..'), { recursive: true });
    const file = openSync(path, 'w');
    ftruncateSync(file, packBytesOf(row));
    closeSync(file);
    if (rows.length < 64 && first + chunksPerPack < chunks) continue;
    await putIndexPart(context, { session, rows, replaces: [] });
    rows = [];
  }
}

function rowOf(first: number): PackRow {
  const frameCount = chunksPerPack / chunksPerFrame;
  const frames = Buffer.alloc(13 * frameCount);
  const rows = Buffer.alloc(20 * chunksPerPack);
  for (let frame = 0; frame < frameCount; frame++) {
    frames.writeUInt32LE(chunkBytes * chunksPerFrame + 28, 13 * frame);
    frames.writeUInt32LE(chunkBytes * chunksPerFrame, 13 * frame + 4);
    frames.writeUInt32LE(chunksPerFrame, 13 * frame + 9);
  }
  for (let i = 0; i < chunksPerPack; i++) {
    idOf(first + i).copy(rows, 20 * i, 0, 16);
    rows.writeUInt32LE(chunkBytes, 20 * i + 16);
  }
  const random = createHash('sha256').update(`pack ${first}`).digest('hex').slice(0, 32);
  return { pack: `${'aa'.repeat(16)}${random}` as PackId, chunkClass: 'data', frames, chunks: rows };
}

function idOf(number: number): Buffer {
  return createHash('sha256').update(`chunk ${number}`).digest();
}

async function commitNeeded(store: Store, chunks: number): Promise<void> {
  await using session = await store.beginBackup({ host: 'bench' });
  const builder = new ListingBuilder(session, store.cuts.nodes);
  const body = Buffer.from([0x58, 60, ...Buffer.alloc(60, 7)]);
  for (let first = 0; first < chunks; first += chunksPerFile) {
    const extents = Array.from({ length: Math.min(chunksPerFile, chunks - first) }, (_, i) => ({
      kind: 'chunk' as const,
      id: new Uint8Array(idOf(first + i)) as ChunkId,
      offset: 0,
      length: chunkBytes,
    }));
    const contents = [await storeExtents(session, store.cuts.nodes, extents)];
    const number = String(first).padStart(9, '0');
    await builder.add({ key: Buffer.from(`folder-${number.slice(0, 5)}/file-${number}`), body, contents });
  }
  const root = await builder.finish();
  await session.commit({ roots: [{ id: root.id, kind: 'node' }], body: null });
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
