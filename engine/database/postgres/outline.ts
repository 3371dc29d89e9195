import { type ChunkSource, type ListingRoot, readListing, storeError } from '../../../store/index.ts';
import { contentBytes } from '../../ingest/index.ts';
import { decodeEntry } from './entry.ts';
import { keyPrefix } from './entry-parts.ts';
import type { DatabaseRecord } from './facts-entry.ts';
import type { RelationEntry } from './relation-entry.ts';
import type { SequenceValue } from './sequences.ts';

/** A listing without its rows: what must be known before the first statement. */
export interface Outline {
  readonly record: DatabaseRecord;
  readonly relations: readonly RelationEntry[];
  readonly sequences: readonly SequenceValue[];
  readonly definitions: ReadonlyMap<string, string>;
}

/** STORE_DAMAGED, STORE_NEWER. */
export async function readOutline(options: {
  readonly source: ChunkSource;
  readonly root: ListingRoot;
  readonly signal?: AbortSignal | undefined;
}): Promise<Outline> {
  const { source, root } = options;
  const relations: RelationEntry[] = [];
  const sequences: SequenceValue[] = [];
  const definitions = new Map<string, string>();
  let record: DatabaseRecord | undefined;
  for (const kind of ['relation', 'sequence', 'definitions', 'facts'] as const) {
    for await (const entry of readListing(source, root, { prefix: keyPrefix(kind) })) {
      options.signal?.throwIfAborted();
      const one = decodeEntry(entry);
      if (one.entry === 'relation') relations.push(one);
      else if (one.entry === 'sequence') sequences.push(one);
      else if (one.entry === 'facts') record = one;
      else if (one.entry === 'definitions')
        definitions.set(one.section, Buffer.from(await contentBytes(source, one.sql)).toString('utf8'));
    }
  }
  if (!record) throw storeError('STORE_DAMAGED', 'Cannot restore the database: its listing has no facts');
  return { record, relations, sequences, definitions };
}
