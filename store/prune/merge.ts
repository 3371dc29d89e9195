import { listParts, readPart, type SignedPart } from '../chunk-index/load.ts';
import { putIndexPart } from '../chunk-index/put-part.ts';
import type { StoreContext } from '../context.ts';
import { storeError } from '../errors.ts';
import { hex, type PackId, type SessionId } from '../ids.ts';
import type { PackRow } from '../pack/row.ts';
import { readGenerations } from '../protocol/generations.ts';
import { overtaken } from './overtaken.ts';

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Parts with fewer rows are many small reads at the start of every run. */
const smallPartRowsMax = 16;
const smallPartsMax = 32;
/** A merged part is closed when it reaches either. */
const rowsPerPart = 512;
const bytesPerPart = 8 * 1024 * 1024;
/** In place of a digest: two hosts say different things of one pack. */
const contested = 'contested';

interface Facts {
  readonly name: string;
  readonly rows: number;
  /** Where hosts without the passphrase say so. */
  readonly packs: readonly PackId[];
  readonly hasSwept: boolean;
}

/**
 * Writes parts anew that list swept packs, or that are small and many, without what was swept; then compares: every pack
 * that was listed and not swept must be in the parts that stay, with the same row. STORE_DAMAGED, before anything is
 * deleted; STORE_LOCKED where another prune changed the index meanwhile. The parts that were replaced go with the next
 * generation.
 */
export async function mergeParts(
  context: StoreContext,
  { session, going }: { readonly session: SessionId; readonly going: ReadonlySet<string> },
  { signal }: CallOptions = {},
): Promise<void> {
  const { swept } = await readGenerations(context, { signal });
  const before = new Map<PackId, string>();
  const facts: Facts[] = [];
  const replaced = new Set<string>();
  // What a host without the passphrase says of a pack counts where no key holder says anything else.
  const claimed = new Map<PackId, string>();
  for await (const [name, { rows, replaces, written, host }] of readParts(context, { signal })) {
    for (const row of rows) {
      if (swept.has(row.pack)) continue;
      const isClaim = host !== undefined || written?.has(row.pack) === true;
      if (!isClaim) before.set(row.pack, digestOf(context, row));
      else if (!claimed.has(row.pack)) claimed.set(row.pack, digestOf(context, row));
      else if (claimed.get(row.pack) !== digestOf(context, row)) claimed.set(row.pack, contested);
    }
    for (const id of replaces) replaced.add(id);
    const packs = host === undefined && !written?.size ? [] : rows.map(({ pack }) => pack);
    facts.push({ name, rows: rows.length, packs, hasSwept: rows.some(({ pack }) => swept.has(pack)) });
  }
  for (const [pack, digest] of claimed)
    if (!before.has(pack) && digest !== contested) before.set(pack, digest);
  const isContested = (pack: PackId): boolean => claimed.get(pack) === contested && !before.has(pack);
  const isCurrent = ({ name }: Facts): boolean => !going.has(idOf(name)) && !replaced.has(idOf(name));
  const current = facts.filter(isCurrent);
  const small = current.filter(({ rows }) => rows < smallPartRowsMax);
  // A part that lists what is contested stays as it is, and so does what others say of it.
  const chosen = current.filter(
    part =>
      !part.packs.some(isContested) &&
      (part.hasSwept || (small.length > smallPartsMax && part.rows < smallPartRowsMax)),
  );
  if (chosen.length === 0 && going.size === 0) return;
  await writeMerged(context, { session, names: chosen.map(({ name }) => name), swept, before }, { signal });
  await compare(context, { before, going }, { signal });
}

async function writeMerged(
  context: StoreContext,
  {
    session,
    names,
    swept,
    before,
  }: {
    readonly session: SessionId;
    readonly names: readonly string[];
    readonly swept: ReadonlySet<PackId>;
    /** By pack, a digest of the row that counts. */
    readonly before: ReadonlyMap<PackId, string>;
  },
  { signal }: CallOptions,
): Promise<void> {
  let rows = new Map<PackId, PackRow>();
  const written = new Map<PackId, string>();
  let replaces: string[] = [];
  let bytes = 0;
  const close = async (): Promise<void> => {
    if (replaces.length === 0) return;
    await putIndexPart(context, { session, rows: [...rows.values()], replaces, written }, { signal });
    rows = new Map();
    replaces = [];
    bytes = 0;
  };
  for (const name of names) {
    const part = await readPart(context, name, { signal });
    if (!('rows' in part)) throw part.code === 'STORE_OBJECT_MISSING' ? overtaken(context, part) : part;
    for (const row of part.rows) {
      if (swept.has(row.pack) || before.get(row.pack) !== digestOf(context, row)) continue;
      const host = part.host ?? part.written?.get(row.pack);
      // A key holder's word is not taken back by a host's.
      if (host === undefined) written.delete(row.pack);
      else if (!rows.has(row.pack)) written.set(row.pack, host);
      if (rows.has(row.pack)) continue;
      rows.set(row.pack, row);
      bytes += row.frames.length + row.chunks.length;
    }
    replaces.push(idOf(name));
    if (rows.size >= rowsPerPart || bytes >= bytesPerPart) await close();
  }
  await close();
}

async function compare(
  context: StoreContext,
  { before, going }: { readonly before: ReadonlyMap<PackId, string>; readonly going: ReadonlySet<string> },
  { signal }: CallOptions,
): Promise<void> {
  const left = new Map(before);
  for await (const [name, { rows }] of readParts(context, { signal }))
    if (!going.has(idOf(name)))
      for (const row of rows) if (left.get(row.pack) === digestOf(context, row)) left.delete(row.pack);
  const [lost] = left.keys();
  if (lost === undefined) return;
  const error = storeError(
    'STORE_DAMAGED',
    `Cannot prune ${context.backend.location}: the new index would not list pack ${lost}`,
    { remedy: 'Run `stillpoint verify`; nothing was deleted.', context: { packs: left.size } },
  );
  const { swept } = await readGenerations(context, { signal });
  throw [...left.keys()].some(pack => swept.has(pack)) ? overtaken(context, error) : error;
}

async function* readParts(
  context: StoreContext,
  { signal }: CallOptions,
): AsyncGenerator<readonly [string, SignedPart]> {
  for (const name of await listParts(context, { signal })) {
    const part = await readPart(context, name, { signal });
    if ('rows' in part) yield [name, part];
    // Damaged parts stay, and what they listed was asked of the packs; gone ones another run has replaced.
    else if (part.code !== 'STORE_DAMAGED' && part.code !== 'STORE_OBJECT_MISSING') throw part;
  }
}

function idOf(name: string): string {
  return name.slice('index/'.length);
}

function digestOf({ ring }: StoreContext, { chunkClass, frames, chunks }: PackRow): string {
  const hash = ring.blake3.hash([Buffer.from(`${chunkClass} ${frames.length} `), frames, chunks]);
  return hex(hash.subarray(0, 8));
}
