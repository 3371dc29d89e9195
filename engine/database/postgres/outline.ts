import { type ChunkSource, type ListingRoot, readListing, storeError } from '../../../store/index.ts';
import { contentBytes } from '../../ingest/index.ts';
import { decodeEntry } from './entry.ts';
import { damaged, keyPrefix } from './entry-parts.ts';
import type { DatabaseRecord } from './facts-entry.ts';
import { checkDatabaseSql, checkDefinitions } from './foreign-sql.ts';
import type { RelationEntry } from './relation-entry.ts';
import type { SequenceValue } from './sequences.ts';

/** A listing without its rows: what must be known before the first statement. */
export interface Outline {
  readonly record: DatabaseRecord;
  readonly relations: readonly RelationEntry[];
  readonly sequences: readonly SequenceValue[];
  readonly definitions: ReadonlyMap<string, string>;
}

/** Definitions of 100,000 tables are some 100 MB. */
const definitionsBytesMax = 256 * 1024 * 1024;

/** STORE_DAMAGED, also for SQL that is no definition; STORE_NEWER. */
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
  let sqlBytes = 0;
  for (const kind of ['relation', 'sequence', 'definitions', 'facts'] as const) {
    for await (const entry of readListing(source, root, { prefix: keyPrefix(kind) })) {
      options.signal?.throwIfAborted();
      const one = decodeEntry(entry);
      if (one.entry === 'relation') relations.push(one);
      else if (one.entry === 'sequence') sequences.push(one);
      else if (one.entry === 'facts') record = one;
      else if (one.entry === 'definitions') {
        sqlBytes += one.sql.length;
        const bytesMax = one.sql.length + definitionsBytesMax - sqlBytes; // all sections together
        const sql = Buffer.from(await contentBytes(source, one.sql, { bytesMax })).toString('utf8');
        if (!one.section.startsWith('large-objects') && sql.includes('\0'))
          throw damaged(`definitions ${one.section}`, 'there is a NUL in them');
        if (one.section !== 'globals') checkDefinitions(one.section, sql); // those are for people
        definitions.set(one.section, sql);
      }
    }
  }
  if (!record) throw storeError('STORE_DAMAGED', 'Cannot restore the database: its listing has no facts');
  checkDatabaseSql(record.databaseSql);
  return { record, relations, sequences, definitions };
}
