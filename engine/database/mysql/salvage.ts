import { type Entry, hex, type ListingGap, salvageListing } from '../../../store/index.ts';
import { addDigests, emptyDigest, equalDigests, type RowDigest } from '../digest.ts';
import type { DatabaseSalvage, SalvagedDatabase, StoredDatabase } from '../kind.ts';
import { isEntryWhole, surveyListing } from '../survey.ts';
import { decodeEntry, describeEntry, encodeRange, encodeTable, type TableEntry } from './entry.ts';
import { entryKinds } from './entry-parts.ts';

/** What one look at a listing found. */
interface Survey {
  readonly tables: Map<string, TableEntry>;
  /** Rows of whole ranges, by table. */
  readonly kept: Map<string, RowDigest>;
  readonly ranges: Map<string, number>;
  /** Keys (hex) of entries that lack something. */
  readonly lost: Map<string, string>;
  /** Tables without their definition. */
  readonly lostTables: Set<string>;
  readonly gaps: ListingGap[];
  hasFacts: boolean;
}

/** Looks at a database's listing and says what is lost; a table without some of its ranges lacks their rows. */
export async function salvageDatabase(
  database: StoredDatabase,
  salvage: DatabaseSalvage,
): Promise<SalvagedDatabase> {
  const survey = await look(database, salvage);
  const { tables, kept, lost, gaps, lostTables, ranges } = survey;
  const { losses } = salvage;
  for (const text of lost.values()) losses.add('database', text);
  for (const { entries } of gaps) losses.add('database', `${entries} entries of its listing`);
  const isTouched = lost.size + gaps.length > 0;
  const isRestorable = !isTouched || survey.hasFacts;
  if (!isRestorable)
    losses.add(
      'database',
      `all of it, ${database.tables} tables with ${database.rows} rows: what they are is lost`,
    );
  const mayBeAny = gaps.some(({ after }) => after === undefined || after[0] === entryKinds.range);
  for (const [name, { digest }] of tables) {
    const left = kept.get(name) ?? emptyDigest;
    if (isTouched && !equalDigests(left, digest) && (mayBeAny || left.rows < digest.rows))
      losses.add('database', `table ${name}: ${digest.rows - left.rows} of ${digest.rows} rows`);
  }
  for (const [name, { rows }] of kept)
    if (!tables.has(name))
      losses.add('database', `table ${name}: all its rows, ${rows} of them whole: its columns are lost`);
  const isKept = (name: string): boolean => tables.has(name) && !lostTables.has(name);
  const names = [...tables.keys()].filter(isKept);
  return {
    isRestorable,
    tables: names.length,
    rows: names.reduce((sum, name) => sum + (kept.get(name)?.rows ?? 0), 0),
    segments: names.reduce((sum, name) => sum + (ranges.get(name) ?? 0), 0),
    async *entries() {
      let table = '';
      for await (const step of salvageListing(salvage.source, database.listing)) {
        if ('gap' in step || lost.has(hex(step.entry.key))) continue;
        const one = decodeEntry(step.entry);
        if (one.entry === 'range') {
          if (!isKept(one.table)) continue;
          // The first that is left reaches to the beginning, since nothing is known of what was before it.
          yield one.table === table ? step.entry : encodeRange({ ...one, from: null });
          table = one.table;
        } else if (one.entry === 'table' && isTouched) {
          // Not whole: no backup builds on its ranges.
          const digest = kept.get(one.name) ?? emptyDigest;
          const isWhole = equalDigests(digest, one.digest);
          yield isWhole ? step.entry : encodeTable({ ...one, digest, definition: new Uint8Array() });
        } else yield step.entry;
      }
    },
  };
}

async function look({ listing }: StoredDatabase, salvage: DatabaseSalvage): Promise<Survey> {
  const survey: Survey = {
    ...{ tables: new Map(), kept: new Map(), ranges: new Map(), lost: new Map(), lostTables: new Set() },
    ...{ gaps: [], hasFacts: false },
  };
  const note = (entry: Entry) => noteEntry(survey, entry, salvage);
  survey.gaps.push(...(await surveyListing(listing, { salvage, note })));
  return survey;
}

async function noteEntry(survey: Survey, entry: Entry, salvage: DatabaseSalvage): Promise<void> {
  const one = decodeEntry(entry);
  if (one.entry === 'facts') survey.hasFacts = true;
  const isWhole = await isEntryWhole(entry, salvage);
  if (one.entry === 'table') survey.tables.set(one.name, one);
  if (!isWhole) {
    survey.lost.set(hex(entry.key), describeEntry(entry));
    if (one.entry === 'table') survey.lostTables.add(one.name);
  } else if (one.entry === 'range') {
    survey.kept.set(one.table, addDigests(survey.kept.get(one.table) ?? emptyDigest, one.digest));
    survey.ranges.set(one.table, (survey.ranges.get(one.table) ?? 0) + 1);
  }
}
