import {
  type ChunkSource,
  type Content,
  type ListingRoot,
  readListing,
  storeError,
} from '../../../../store/index.ts';
import { readContent } from '../../../ingest/index.ts';
import { damaged } from '../../fields.ts';
import type { SequenceValue } from '../entries/entry.ts';
import { decodeEntry } from '../entries/entry.ts';
import { keyPrefix } from '../entries/entry-parts.ts';
import type { DatabaseRecord } from '../entries/facts-entry.ts';
import type { RelationEntry } from '../entries/relation-entry.ts';
import { checkDatabaseSql, checkDefinitions } from './foreign-sql.ts';

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
        if (sqlBytes > definitionsBytesMax)
          throw damaged('definitions', `they have ${sqlBytes} bytes or more`);
        const sql = await sqlOf(source, one);
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

async function sqlOf(
  source: ChunkSource,
  { section, sql }: { readonly section: string; readonly sql: Content },
): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of readContent(source, sql)) {
    if (part.kind === 'hole') throw damaged(`definitions ${section}`, 'there is a hole in them');
    parts.push(part.bytes);
  }
  return Buffer.concat(parts).toString('utf8');
}
