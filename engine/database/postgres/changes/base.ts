import {
  type ChunkSource,
  type Content,
  type Entry,
  extentsOf,
  hex,
  readListing,
} from '../../../../store/index.ts';
import type { ServerFacts } from '../catalog/server.ts';
import { rowSettings } from '../connect/settings.ts';
import { decodeEntry } from '../entries/entry.ts';
import { keyPrefix, type RelationName } from '../entries/entry-parts.ts';
import type { DatabaseRecord } from '../entries/facts-entry.ts';
import type { RelationEntry } from '../entries/relation-entry.ts';
import { orDamaged, type StoredSegment } from '../rows/segment-memory.ts';
import type { PostgresBase } from '../types.ts';

/** An earlier snapshot's listing without its segments, of a server that is provably the same. */
export interface LoadedBase {
  readonly base: PostgresBase;
  readonly record: DatabaseRecord;
  /** By oid. */
  readonly relations: ReadonlyMap<number, RelationEntry>;
  /** By section. */
  readonly definitions: ReadonlyMap<string, Content>;
  /** Every entry but the segments, by its key in hex. */
  readonly entries: ReadonlyMap<string, Entry>;
  /** Entries of segments that were handed out. */
  readonly segments: WeakSet<Entry>;
  /** Gives the listing's nodes, and notes whether a new snapshot may refer to those that were read. */
  readonly nodes: NodeSource;
}

interface NodeSource extends ChunkSource {
  readonly mayRefer: () => boolean;
}

function nodeSource(base: PostgresBase): NodeSource {
  let isWhole = true;
  return {
    mayRefer: () => isWhole,
    async get(id, chunkClass) {
      if (!base.has(id, chunkClass)) isWhole = false;
      return base.source.get(id, chunkClass);
    },
  };
}

/** Where a server is in its history. */
export interface Position {
  readonly lsn: string;
  readonly xmin: bigint;
  readonly xmax: bigint;
}

/**
 * Undefined where the base cannot be built upon: it may have lost what the server promised before a crash, it is of
 * another server or another life of it, or of a later time than now (the server was set back), or it is damaged.
 */
export async function loadBase(
  base: PostgresBase,
  now: { readonly facts: ServerFacts; readonly position: Position },
): Promise<LoadedBase | undefined> {
  if (!base.publishable || !isBefore(base, now.position)) return undefined;
  const loaded = await orDamaged(() => readBase(base));
  return loaded && isSameServer(loaded.record, now.facts) ? loaded : undefined;
}

async function readBase(base: PostgresBase): Promise<LoadedBase | undefined> {
  const relations = new Map<number, RelationEntry>();
  const definitions = new Map<string, Content>();
  const entries = new Map<string, Entry>();
  const nodes = nodeSource(base);
  let record: DatabaseRecord | undefined;
  for (const kind of ['relation', 'sequence', 'definitions', 'facts'] as const) {
    for await (const entry of readListing(nodes, base.root, { prefix: keyPrefix(kind) })) {
      entries.set(hex(entry.key), entry);
      const one = decodeEntry(entry);
      if (one.entry === 'relation') relations.set(one.oid, one);
      else if (one.entry === 'definitions') definitions.set(one.section, one.sql);
      else if (one.entry === 'facts') record = one;
    }
  }
  return record && { base, record, relations, definitions, entries, segments: new WeakSet(), nodes };
}

function isBefore(base: Position, now: Position): boolean {
  return positionOf(base.lsn) <= positionOf(now.lsn) && base.xmin <= now.xmin && base.xmax <= now.xmax;
}

/** `0/1A2B3C4D` as a number. */
function positionOf(lsn: string): bigint {
  const [high, low] = lsn.split('/').map(part => BigInt(`0x${part}`));
  return ((high ?? 0n) << 32n) + (low ?? 0n);
}

function isSameServer(record: DatabaseRecord, facts: ServerFacts): boolean {
  const settings = (list: DatabaseRecord['settings']): string => JSON.stringify(list);
  return (
    record.systemIdentifier === facts.systemIdentifier &&
    record.timeline === facts.timeline &&
    record.serverVersion === facts.serverVersion &&
    record.startedAtUs === facts.startedAtUs &&
    record.databaseOid === facts.databaseOid &&
    record.encoding === facts.encoding &&
    settings(record.settings) === settings(rowSettings)
  );
}

/** So many entries are passed over before the listing is entered anew: a leaf has some hundred. */
const passedMax = 256;

/**
 * The stored segments of relations, asked for by ascending name. One walk for all of them: entering the listing anew for
 * each of many small tables would read its nodes again and again.
 */
export class BaseSegments {
  readonly #loaded: Pick<LoadedBase, 'base' | 'nodes' | 'segments'>;
  #entries: AsyncGenerator<Entry> | undefined;
  #next: Entry | undefined;

  constructor(loaded: Pick<LoadedBase, 'base' | 'nodes' | 'segments'>) {
    this.#loaded = loaded;
  }

  /** By their first block. Ends early where the listing is damaged. */
  async *of(relation: RelationName): AsyncGenerator<StoredSegment> {
    const prefix = keyPrefix('segment', relation);
    await orDamaged(() => this.#moveTo(prefix));
    while (this.#next && hasPrefix(this.#next.key, prefix)) {
      const entry = this.#next;
      const one = await orDamaged(async () => decodeEntry(entry));
      if (one?.entry !== 'segment') return;
      this.#loaded.segments.add(entry);
      yield { entry, segment: one };
      await orDamaged(() => this.#pull());
    }
  }

  async #moveTo(prefix: Uint8Array): Promise<void> {
    for (let passed = 0; this.#entries && this.#next; passed += 1) {
      if (Buffer.compare(this.#next.key, prefix) >= 0) return;
      if (passed === passedMax) break;
      await this.#pull();
    }
    if (this.#entries && !this.#next) return; // past the last one
    const { base, nodes } = this.#loaded;
    this.#entries = readListing(nodes, base.root, { prefix: keyPrefix('segment'), from: prefix });
    await this.#pull();
  }

  async #pull(): Promise<void> {
    const entries = this.#entries!;
    this.#next = undefined;
    this.#entries = undefined; // after a failure the listing is entered anew
    const { value, done } = await entries.next();
    if (!done) this.#next = value;
    this.#entries = entries;
  }
}

function hasPrefix(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return Buffer.compare(bytes.subarray(0, prefix.length), prefix) === 0;
}

/** Whether a new snapshot may refer to everything that makes up some contents, the nodes of long lists included. */
export async function mayDepend(base: PostgresBase, contents: readonly Content[]): Promise<boolean> {
  const nodes = nodeSource(base);
  const walked = await orDamaged(async () => {
    for (const content of contents)
      for await (const extent of extentsOf(nodes, content))
        if (!nodes.mayRefer() || (extent.kind === 'chunk' && !base.has(extent.id, 'data'))) return false;
    return nodes.mayRefer();
  });
  return walked === true;
}
