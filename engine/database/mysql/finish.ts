import { type Content, type Entry, ListingBuilder, type ListingRoot } from '../../../store/index.ts';
import { contentWriter } from '../../ingest/index.ts';
import type { FinishOptions } from '../database.ts';
import { addDigests, emptyDigest } from '../digest.ts';
import type { AdvancedTable } from './advance.ts';
import type { Connection } from './connection.ts';
import { encodeFacts, encodeObject, encodeRange, encodeSequence, encodeTable } from './entry.ts';
import { readGrants } from './grants.ts';
import type { Pinned } from './pin.ts';
import { inNameOrder, type ServerFacts } from './server.ts';

export interface StoreJob extends FinishOptions {
  readonly watch: Connection;
  readonly server: ServerFacts;
  readonly pinned: Pinned;
  readonly tables: readonly AdvancedTable[];
}

/** Stores what was read, in one listing. */
export async function storeDatabase(job: StoreJob): Promise<ListingRoot> {
  const builder = new ListingBuilder(job.sink, job.cuts.nodes);
  for (const { ranges } of job.tables) for (const range of ranges) await builder.add(encodeRange(range));
  for (const { table, ranges } of job.tables) {
    const { name, definition, autoIncrement, columns } = table;
    const sql = await stored(job, table.sql);
    const digest = ranges.map(one => one.digest).reduce(addDigests, emptyDigest);
    await builder.add(
      encodeTable({ name, definition, autoIncrement, digest, sql, columns: columns.map(one => one.name) }),
    );
  }
  for (const sequence of inNameOrder(job.pinned.sequences))
    await builder.add(encodeSequence({ ...sequence, sql: await stored(job, sequence.sql) }));
  for (const entry of await objectEntries(job)) await builder.add(entry);
  const { version, characterSet, collation, comment } = job.server;
  const grants = await readGrants(job.watch);
  const { database } = job.watch;
  await builder.add(
    encodeFacts({ serverVersion: version, database, characterSet, collation, comment, grants }),
  );
  return builder.finish();
}

async function objectEntries(job: StoreJob): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const one of job.pinned.objects)
    entries.push(encodeObject({ ...one, sql: await stored(job, one.sql) }));
  return entries.sort((a, b) => Buffer.compare(a.key, b.key));
}

async function stored({ sink, cuts }: StoreJob, sql: Uint8Array): Promise<Content> {
  const writer = contentWriter(sink, cuts);
  await writer.write(sql);
  return writer.finish();
}
