import { breather } from './breathe.ts';
import { type LoadedIndex, loadIndex } from './chunk-index/load.ts';
import { failedRead } from './chunk-index/masks.ts';
import type { ChunkRef, ChunkSource } from './content.ts';
import type { StoreContext } from './context.ts';
import { storeError } from './errors.ts';
import { hex, type SessionId } from './ids.ts';
import { FrameReader } from './pack/reader.ts';
import { type Generations, generationName, readGenerations } from './protocol/generations.ts';
import { putRecord } from './protocol/note.ts';
import { sweepRecord } from './protocol/records.ts';
import { Reachable } from './walk.ts';

export interface Dependent {
  readonly session: SessionId;
  /** The manifest's. */
  readonly roots: readonly ChunkRef[];
  /** Gives the nodes below the roots, for a host that cannot open them in the store. */
  readonly nodes?: ChunkSource | undefined;
  /** What gc/ said when the session began. */
  readonly generations: Generations;
  /** Told of the index that the dependencies were found in. */
  readonly onFound: (loaded: LoadedIndex) => Promise<void>;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

const cacheBytesMax = 16 * 1024 * 1024;
/** A veto that comes too late means that somebody else decided; each round sees one more decision. */
const roundsMax = 8;

/**
 * What a writer does between its intent and its manifest: everything that the manifest needs must have a copy that no
 * prune takes. Where the only one is about to be decided about, the writer decides: it stays. STORE_LOCKED when a prune
 * has taken something meanwhile.
 */
export async function secureDependencies(
  context: StoreContext,
  dependent: Dependent,
  options: CallOptions = {},
): Promise<void> {
  const { generations: before } = dependent;
  const now = await readGenerations(context, options);
  // Nothing is open and nothing happened since the session began: whatever it found then is there.
  if (now.open === undefined && now.state === before.state) return;
  for (let round = 1; round <= roundsMax; round++) {
    const loaded = await loadIndex(context, { purpose: 'write', ...options });
    const verdict = await judge(context, { loaded, ...dependent }, options);
    if (verdict.gone !== undefined) throw failedRead(loaded.problems) ?? pruned(context, verdict.gone);
    if (verdict.isStale) continue;
    if (!verdict.needsVeto) return dependent.onFound(loaded);
    await veto(context, { session: dependent.session, number: loaded.generations.last }, options);
  }
  throw pruned(context, 'generation after generation');
}

interface Verdict {
  /** A chunk of which nothing is left. */
  readonly gone: string | undefined;
  /** Something has copies in tombstoned packs only. */
  readonly needsVeto: boolean;
  /** A pack went while it was looked at: the index is to be read again. */
  readonly isStale: boolean;
}

async function judge(
  context: StoreContext,
  { loaded, roots, nodes }: Pick<Dependent, 'roots' | 'nodes'> & { readonly loaded: LoadedIndex },
  { signal }: CallOptions,
): Promise<Verdict> {
  const { index, sizes, generations } = loaded;
  let gone: string | undefined;
  let needsVeto = false;
  let isStale = false;
  const reachable = new Reachable({
    context,
    index,
    frames: new FrameReader(context, { cacheBytesMax }),
    nodes,
    onChunk({ id }) {
      if (index.has(id)) return;
      const places = index.places(id).filter(({ pack }) => sizes.has(pack));
      if (places.some(({ pack }) => generations.tombstoned.has(pack))) needsVeto = true;
      // A copy that is there and known bad is damage, which a prune has no part in: verify names it.
      else if (places.length === 0) gone ??= `chunk ${hex(id)}`;
    },
    onUnreadable(_, error) {
      if (error.code === 'STORE_OBJECT_MISSING') isStale = true;
      else throw error;
    },
    breathe: breather(context.seams.clock),
    signal,
  });
  await reachable.add(roots);
  return { gone, needsVeto, isStale };
}

/** Whoever creates the sweep first decides; an empty one says that everything stays. */
async function veto(
  context: StoreContext,
  { session, number }: { readonly session: SessionId; readonly number: number },
  options: CallOptions,
): Promise<void> {
  const record = { number, packs: [], indexParts: [] };
  const name = generationName(number, '.sweep');
  await putRecord(context, { name, kind: 'sweep', codec: sweepRecord, record, session }, options);
}

function pruned({ backend }: StoreContext, what: string): Error {
  return storeError(
    'STORE_LOCKED',
    `Cannot commit to ${backend.location}: another run pruned this store meanwhile and took ${what}`,
    { remedy: 'Run the backup again.' },
  );
}
