import { type ChunkSource, type ListingRoot, readListing } from '../../../../store/index.ts';
import { addDigests, emptyDigest, equalDigests, type RowDigest } from '../../digest.ts';
import { decodeEntry } from '../entries/entry.ts';
import type { RelationName } from '../entries/entry-parts.ts';
import type { RelationEntry } from '../entries/relation-entry.ts';
import type { SegmentEntry } from '../entries/segment-entry.ts';

/** What a database's listing holds, counted from its entries. Large objects are segments, and no tables. */
export interface DatabaseCounts {
  readonly tables: number;
  readonly segments: number;
  readonly rows: number;
}

export interface CountedDatabase extends DatabaseCounts {
  /** What its facts say; undefined: there are none. */
  readonly database: { readonly name: string; readonly systemIdentifier: string } | undefined;
  /** Where its entries contradict each other: a sentence; undefined: nowhere. */
  readonly problem: string | undefined;
}

/** Counts a whole listing and compares its entries with each other; reads none of the rows. STORE_DAMAGED, STORE_OBJECT_MISSING. */
export async function countDatabase(source: ChunkSource, root: ListingRoot): Promise<CountedDatabase> {
  const counts = { tables: 0, segments: 0, rows: 0 };
  const relations = new Relations();
  let database: CountedDatabase['database'];
  let entries = 0;
  for await (const entry of readListing(source, root)) {
    entries += 1;
    const one = decodeEntry(entry);
    if (one.entry === 'facts')
      database = { name: one.database, systemIdentifier: String(one.systemIdentifier) };
    if (one.entry === 'segment') {
      counts.segments += 1;
      relations.addSegment(one);
    }
    if (one.entry !== 'relation') continue;
    relations.addRelation(one);
    if (one.kind !== 'table') continue;
    counts.tables += 1;
    counts.rows += one.digest.rows;
  }
  const isCut = entries !== root.entries;
  const cut = isCut ? `The database has ${entries} entries, its manifest says ${root.entries}` : undefined;
  return { ...counts, database, problem: cut ?? relations.problem };
}

/** Segments come before the relations that they are of, each relation's one after the other and by block. */
class Relations {
  readonly #sums = new Map<string, RowDigest>();
  #last: { readonly name: string; readonly end: number } | undefined;
  #problem: string | undefined;

  get problem(): string | undefined {
    const [orphan] = this.#sums.keys();
    return this.#problem ?? (orphan && `There are rows of ${orphan}, which is not among the tables`);
  }

  addSegment(segment: SegmentEntry): void {
    const name = nameOf(segment);
    if (this.#last?.name === name && segment.first < this.#last.end)
      this.#problem ??= `Segments of ${name} overlap at block ${segment.first}`;
    this.#last = { name, end: segment.first + segment.blocks };
    this.#sums.set(name, addDigests(this.#sums.get(name) ?? emptyDigest, segment.digest));
  }

  addRelation(relation: RelationEntry): void {
    const name = nameOf(relation);
    const found = this.#sums.get(name) ?? emptyDigest;
    this.#sums.delete(name);
    if (equalDigests(found, relation.digest)) return;
    this.#problem ??=
      found.rows === relation.digest.rows
        ? `The digest of ${name} is not that of its segments`
        : `The segments of ${name} have ${found.rows} rows, the table says ${relation.digest.rows}`;
  }
}

const nameOf = ({ schema, name }: RelationName): string => `${schema}.${name}`;
