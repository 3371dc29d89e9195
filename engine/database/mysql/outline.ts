import { type ChunkSource, type ListingRoot, readListing } from '../../../store/index.ts';
import { naming } from '../../naming.ts';
import { damaged } from '../fields.ts';
import {
  decodeEntry,
  type FactsEntry,
  type ObjectEntry,
  type SequenceEntry,
  type TableEntry,
} from './entry.ts';
import { entryKinds } from './entry-parts.ts';

/** A listing without its rows. */
export interface Outline {
  readonly facts: FactsEntry;
  readonly tables: readonly TableEntry[];
  readonly sequences: readonly SequenceEntry[];
  readonly objects: readonly ObjectEntry[];
}

/** STORE_DAMAGED where it has no facts. */
export async function readOutline({
  source,
  root,
}: {
  readonly source: ChunkSource;
  readonly root: ListingRoot;
  readonly signal?: AbortSignal | undefined;
}): Promise<Outline> {
  const tables: TableEntry[] = [];
  const sequences: SequenceEntry[] = [];
  const objects: ObjectEntry[] = [];
  let facts: FactsEntry | undefined;
  await naming('the list of tables', async () => {
    for await (const entry of readListing(source, root, { from: Uint8Array.of(entryKinds.table) })) {
      const one = decodeEntry(entry);
      if (one.entry === 'table') tables.push(one);
      else if (one.entry === 'sequence') sequences.push(one);
      else if (one.entry === 'object') objects.push(one);
      else if (one.entry === 'facts') facts = one;
    }
  });
  if (!facts) throw damaged('the database', 'it has no facts');
  return { facts, tables, sequences, objects };
}
