import { type MaskOptions, readDamageRecords } from './chunk-index/masks.ts';
import type { StoreContext } from './context.ts';
import { type ChunkId, hex, type PackId, type SessionId } from './ids.ts';
import { damageRecord } from './protocol/records.ts';
import { putOwn } from './put-own.ts';
import { sealRecord } from './record.ts';
import { insideOf, type Store } from './store.ts';

/** What was found bad in one pack. */
export interface FoundDamage {
  /** Null: chunks are lost, and nobody knows which pack had them. */
  readonly pack: PackId | null;
  /** Frames by their ordinals, or all that the pack has. */
  readonly ordinals: readonly number[] | 'all';
  /**
   * Chunks of which no whole copy is left anywhere: a prune goes on without what is below them. Never those that the
   * medium just fails to read, since it may give them again.
   */
  readonly lost: readonly ChunkId[];
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** The one that found it; default: one of its own. */
  readonly session?: SessionId | undefined;
}

/** Names no pack: ids begin with random bytes. */
const noPack = '0'.repeat(64) as PackId;

/**
 * Writes down what is bad, so that nothing new depends on it and the next backup stores it again. What the records that
 * are there say already is left out. The names of the new records, durable when it returns.
 */
export async function recordDamage(
  store: Store,
  found: readonly FoundDamage[],
  options: CallOptions = {},
): Promise<readonly string[]> {
  return putDamage(insideOf(store).context, found, options);
}

/** As recordDamage, for other parts of this folder. */
export async function putDamage(
  context: StoreContext,
  found: readonly FoundDamage[],
  options: CallOptions = {},
): Promise<readonly string[]> {
  const { backend, ring, seams } = context;
  const names: string[] = [];
  for (const { pack, ordinals, lost } of await newDamage(context, found, options)) {
    const record = {
      pack: pack ?? noPack,
      ordinals: ordinals === 'all' ? undefined : ordinals,
      foundMs: seams.clock.nowMs(),
      lost,
    };
    const name = `damage/${hex(seams.randomness.bytes(32))}`;
    const session = options.session ?? (hex(seams.randomness.bytes(32)) as SessionId);
    const place = { kind: 'damage', session, name, randomness: seams.randomness } as const;
    const parts = [sealRecord(ring, place, damageRecord.encode(record))];
    await putOwn(backend, { name, parts }, { signal: options.signal });
    names.push(name);
  }
  return names;
}

/** What of it the records that are there do not say yet. */
export async function newDamage(
  context: StoreContext,
  found: readonly FoundDamage[],
  { signal }: CallOptions = {},
): Promise<readonly FoundDamage[]> {
  const known = await readKnown(context, { signal });
  return found.flatMap(damage => known.newIn(damage) ?? []);
}

/** What is recorded, to be added to. */
async function readKnown(context: StoreContext, options: MaskOptions) {
  const whole = new Set<PackId>();
  const known = new Set<string>();
  const lost = new Set<string>();
  const add = (found: FoundDamage): void => {
    if (found.ordinals === 'all') whole.add(found.pack ?? noPack);
    for (const frame of framesOf(found)) known.add(frame);
    for (const id of found.lost) lost.add(hex(id));
  };
  for await (const { ordinals = 'all', ...record } of readDamageRecords(context, options))
    add({ ...record, ordinals });
  return {
    /** What is new in it, from now on known; undefined: nothing is. */
    newIn(found: FoundDamage): FoundDamage | undefined {
      const { pack, ordinals } = found;
      const isKnown = pack === null || whole.has(pack);
      const frames = framesOf(found);
      const newFrames = ordinals === 'all' ? ordinals : ordinals.filter((_, i) => !known.has(frames[i]!));
      const isNew = !isKnown && newFrames.length > 0;
      // Several snapshots may have lost the same chunk.
      const ids = new Map(found.lost.map(id => [hex(id), id]));
      const newLost = [...ids].filter(([text]) => !lost.has(text)).map(([, id]) => id);
      if (!isNew && newLost.length === 0) return undefined;
      add(found);
      return { pack, ordinals: isNew ? newFrames : [], lost: newLost };
    },
  };
}

function framesOf({ pack, ordinals }: FoundDamage): string[] {
  return ordinals === 'all' ? [] : ordinals.map(ordinal => `${pack}/${ordinal}`);
}
