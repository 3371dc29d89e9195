import { type Entry, hex, type ListingGap, salvageListing } from '../../../../store/index.ts';
import type { Losses } from '../../../repair/losses.ts';
import { addDigests, emptyDigest, equalDigests, type RowDigest } from '../../digest.ts';
import type { DatabaseSalvage, SalvagedDatabase, StoredDatabase } from '../../kind.ts';
import { isEntryWhole, surveyListing } from '../../survey.ts';
import { type DatabaseEntry, decodeEntry, describeDatabaseKey } from '../entries/entry.ts';
import { entryKinds, type RelationName } from '../entries/entry-parts.ts';
import { encodeRelation, type RelationEntry } from '../entries/relation-entry.ts';

type Segment = Extract<DatabaseEntry, { entry: 'segment' }>;

/** What one look at a listing found. */
interface Survey {
  readonly relations: Map<string, RelationEntry>;
  /** Rows of whole segments, by relation. */
  readonly kept: Map<string, RowDigest>;
  /** Keys (hex) of segments that lack something, and their blocks by relation. */
  readonly lostSegments: Map<string, Segment>;
  readonly segments: Map<string, number>;
  readonly sections: Set<string>;
  readonly lostSections: Set<string>;
  readonly gaps: ListingGap[];
  hasFacts: boolean;
}

const keyOf = ({ schema, name }: RelationName): string => `${schema}\0${name}`;
const nameOf = (key: string): string => key.replace('\0', '.');
const largeObjectsKey = keyOf({ schema: 'pg_catalog', name: 'pg_largeobject' });

/** Looks at a database's listing and says what is lost; a table without some of its segments lacks their rows. */
export async function salvageDatabase(
  database: StoredDatabase,
  salvage: DatabaseSalvage,
): Promise<SalvagedDatabase> {
  const survey = await look(database, salvage);
  const { relations, segments, sections, lostSections, gaps, lostSegments } = survey;
  const { losses } = salvage;
  const isTouched = gaps.length + lostSections.size + lostSegments.size > 0;
  const isRestorable = !isTouched || (survey.hasFacts && sections.has('pre-data'));
  nameGaps(gaps, losses);
  for (const section of lostSections) losses.add('database', `its definitions (${section})`);
  if (!isRestorable)
    losses.add(
      'database',
      `all of it, ${database.tables} tables with ${database.rows} rows: without what its tables are none can be made`,
    );
  const dropped = new Set<string>();
  if (isTouched && relations.has(largeObjectsKey) && !sections.has('large-objects'))
    dropped.add(largeObjectsKey);
  const changed = isTouched ? changedRelations(survey) : new Map<string, RowDigest>();
  nameRows(survey, { changed, losses });
  const isKept = (key: string) => relations.has(key) && !dropped.has(key);
  const rowsOf = (relation: RelationEntry) => changed.get(keyOf(relation)) ?? relation.digest;
  const tables = [...relations.values()].filter(one => one.kind === 'table');
  return {
    isRestorable,
    tables: tables.length,
    rows: tables.reduce((sum, one) => sum + rowsOf(one).rows, 0),
    segments: [...segments].reduce((sum, [key, count]) => sum + (isKept(key) ? count : 0), 0),
    async *entries() {
      for await (const step of salvageListing(salvage.source, database.listing)) {
        if ('gap' in step) continue;
        const one = decodeEntry(step.entry);
        if (one.entry === 'segment' && (lostSegments.has(hex(step.entry.key)) || !isKept(keyOf(one))))
          continue;
        if (one.entry === 'definitions' && lostSections.has(one.section)) continue;
        if (one.entry === 'relation' && dropped.has(keyOf(one))) continue;
        const digest = one.entry === 'relation' ? changed.get(keyOf(one)) : undefined;
        yield one.entry === 'relation' && digest ? encodeRelation({ ...one, digest }) : step.entry;
      }
    },
  };
}

async function look({ listing }: StoredDatabase, salvage: DatabaseSalvage): Promise<Survey> {
  const survey: Survey = {
    relations: new Map(),
    kept: new Map(),
    lostSegments: new Map(),
    segments: new Map(),
    sections: new Set(),
    lostSections: new Set(),
    gaps: [],
    hasFacts: false,
  };
  const note = (entry: Entry) => noteEntry(survey, entry, salvage);
  survey.gaps.push(...(await surveyListing(listing, { salvage, note })));
  return survey;
}

async function noteEntry(survey: Survey, entry: Entry, salvage: DatabaseSalvage): Promise<void> {
  const one = decodeEntry(entry);
  if (one.entry === 'relation') survey.relations.set(keyOf(one), one);
  if (one.entry === 'facts') survey.hasFacts = true;
  if (one.entry !== 'segment' && one.entry !== 'definitions') return;
  const isWhole = await isEntryWhole(entry, salvage);
  if (one.entry === 'definitions') (isWhole ? survey.sections : survey.lostSections).add(one.section);
  else if (isWhole) {
    const key = keyOf(one);
    survey.kept.set(key, addDigests(survey.kept.get(key) ?? emptyDigest, one.digest));
    survey.segments.set(key, (survey.segments.get(key) ?? 0) + 1);
  } else survey.lostSegments.set(hex(entry.key), one);
}

/** Relations of which rows are lost, with what is left of them. */
function changedRelations({ relations, kept, lostSegments, gaps }: Survey): Map<string, RowDigest> {
  const touched = new Set([...lostSegments.values()].map(keyOf));
  // A gap that begins among the segments may hold some of any table.
  const mayBeAny = gaps.some(({ after }) => after === undefined || after[0] === entryKinds.segment);
  const changed = new Map<string, RowDigest>();
  for (const [key, { kind, digest }] of relations) {
    const left = kept.get(key) ?? emptyDigest;
    const isMeant = touched.has(key) || (mayBeAny && (kind === 'table' || kind === 'large-objects'));
    if (isMeant && !equalDigests(left, digest)) changed.set(key, left);
  }
  return changed;
}

function nameRows(
  { relations, kept, lostSegments }: Survey,
  { changed, losses }: { readonly changed: ReadonlyMap<string, RowDigest>; readonly losses: Losses },
): void {
  for (const [key, left] of changed) {
    const blocks = [...lostSegments.values()]
      .filter(segment => keyOf(segment) === key && segment.blocks > 0)
      .map(({ first, blocks: count }) => `${first}–${first + count - 1}`);
    const { rows } = relations.get(key)!.digest;
    const where = blocks.length === 0 ? '' : ` (blocks ${blocks.join(', ')})`;
    const what = key === largeObjectsKey ? 'large objects' : `table ${nameOf(key)}`;
    losses.add('database', `${what}: ${rows - left.rows} of ${rows} rows${where}`);
  }
  for (const [key, { rows }] of kept)
    if (!relations.has(key))
      losses.add(
        'database',
        `table ${nameOf(key)}: all its rows, ${rows} of them whole: its columns are lost`,
      );
}

function nameGaps(gaps: readonly ListingGap[], losses: Losses): void {
  for (const { entries, after, upTo } of gaps) {
    const start = after === undefined ? 'from the first' : `after ${describeDatabaseKey(after)}`;
    const end = upTo === undefined ? 'to the last' : `up to ${describeDatabaseKey(upTo)}`;
    losses.add('database', `${entries} entries of its listing ${start} ${end}`);
  }
}
