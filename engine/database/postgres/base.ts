import {
  type ChunkSource,
  type Content,
  type Entry,
  extentsOf,
  hex,
  readListing,
} from '../../../store/index.ts';
import type { DatabaseBase } from '../database.ts';
import { decodeEntry } from './entry.ts';
import { keyPrefix } from './entry-parts.ts';
import type { DatabaseRecord } from './facts-entry.ts';
import type { RelationEntry } from './relation-entry.ts';
import { orDamaged, type StoredSegment } from './segment-memory.ts';
import type { ServerFacts } from './server.ts';
import { rowSettings } from './settings.ts';

/** An earlier snapshot's listing without its segments, of a server that is provably the same. */
export interface LoadedBase {
  readonly base: DatabaseBase;
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

function nodeSource(base: DatabaseBase): NodeSource {
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
  base: DatabaseBase,
  now: { readonly facts: ServerFacts; readonly position: Position },
): Promise<LoadedBase | undefined> {
  if (!base.publishable || !isBefore(base, now.position)) return undefined;
  const loaded = await orDamaged(() => readBase(base));
  return loaded && isSameServer(loaded.record, now.facts) ? loaded : undefined;
}

async function readBase(base: DatabaseBase): Promise<LoadedBase | undefined> {
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

/** The stored segments of a relation by their first block. Ends early where the listing is damaged. */
export async function* baseSegments(
  { base, segments, nodes }: LoadedBase,
  relation: RelationEntry,
): AsyncGenerator<StoredSegment> {
  const entries = readListing(nodes, base.root, { prefix: keyPrefix('segment', relation) });
  for (;;) {
    const next = await orDamaged(async () => {
      const { value, done } = await entries.next();
      if (done) return undefined;
      const one = decodeEntry(value);
      if (one.entry !== 'segment') return undefined;
      segments.add(value);
      return { entry: value, segment: one };
    });
    if (!next) return;
    yield next;
  }
}

/** Whether a new snapshot may refer to everything that makes up some contents, the nodes of long lists included. */
export async function mayDepend(base: DatabaseBase, contents: readonly Content[]): Promise<boolean> {
  const nodes = nodeSource(base);
  const walked = await orDamaged(async () => {
    for (const content of contents)
      for await (const extent of extentsOf(nodes, content))
        if (!nodes.mayRefer() || (extent.kind === 'chunk' && !base.has(extent.id, 'data'))) return false;
    return nodes.mayRefer();
  });
  return walked === true;
}
