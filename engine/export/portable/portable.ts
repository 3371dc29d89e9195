import { type ChunkSource, storeError } from '../../../store/index.ts';
import type { ExportDatabaseOptions } from '../../database/kind.ts';
import type { RelationEntry } from '../../database/postgres/entries/relation-entry.ts';
import { readOutline } from '../../database/postgres/outline/outline.ts';
import { tableRows } from '../../database/postgres/rows/table-rows.ts';
import { readDeclared } from '../../database/postgres/sql/declared.ts';
import { type FileTarget, type MadeFile, textFile } from '../archive.ts';
import { fileNames } from '../file-names.ts';
import { type ColumnWriter, type CsvCounts, csvOf } from './csv.ts';
import { type DescribedColumn, describeColumns, describeTable } from './describe.ts';
import { inUtf8 } from './encodings.ts';
import { portableReadme } from './readme.ts';
import { valueWriter } from './values.ts';

/** How the files are written, for who reads them by program. */
const csvForm = {
  encoding: 'UTF-8',
  separator: ',',
  quote: '"',
  quoteInValue: '""',
  lineEnd: '\r\n',
  header: true,
  null: 'NULL, without quotes; every other value is in quotes',
  binary: 'hexadecimal',
  boolean: ['true', 'false'],
  times: 'ISO 8601, those with a time zone in UTC; infinity and -infinity',
  others: 'as PostgreSQL writes them: arrays {a,b}, ranges [a,b), composites (a,b), intervals, JSON',
} as const;

/** Writes the database as a CSV file a table, and what is known of them as JSON. */
export async function exportPortable(
  target: FileTarget,
  options: ExportDatabaseOptions,
): Promise<{ readonly tables: number; readonly rows: number }> {
  const { source, snapshot, stored, signal } = options;
  const root = stored.listing;
  const { record, relations, sequences, definitions } = await readOutline({ source, root, signal });
  const declared = readDeclared(definitions.get('pre-data') ?? '', definitions.get('post-data') ?? '');
  const withRows = relations.filter(({ kind }) => kind === 'table' || kind === 'large-objects');
  const files = fileNames(withRows, 'csv');
  await target.put('README.md', textFile(portableReadme(stored, snapshot.id)));
  const tables: unknown[] = [];
  let rows = 0;
  for (const relation of relations) {
    signal?.throwIfAborted();
    if (relation.kind === 'foreign' || relation.kind === 'materialized') continue;
    const columns = describeColumns(relation, declared);
    const name = files.get(relation);
    const file = name === undefined ? null : `tables/${name}`;
    let written = null;
    if (file !== null) {
      const { made, counts } = csvFile({ source, root, relation, columns, encoding: record.encoding });
      written = { ...(await target.put(file, made)), ...counts() };
      rows += written.rows;
      options.onTable?.(written.rows, written.bytes);
    }
    tables.push(describeTable(relation, { columns, declared, file, written }));
  }
  const { id, instance, timeMs } = snapshot;
  const about = {
    format: 'stillpoint-portable',
    version: 1,
    snapshot: id,
    instance,
    time: new Date(timeMs).toISOString(),
    database: { name: record.database, server: `PostgreSQL ${record.serverVersion}` },
    csv: csvForm,
    tables,
    sequences: sequences.map(({ schema, name, lastValue, isCalled }) => ({
      schema,
      name,
      lastValue: String(lastValue),
      isUsed: isCalled,
    })),
  };
  await target.put('tables.json', textFile(`${JSON.stringify(about, null, 2)}\n`));
  return { tables: withRows.filter(({ kind }) => kind === 'table').length, rows };
}

function csvFile({
  source,
  root,
  relation,
  columns,
  encoding,
}: {
  readonly source: ChunkSource;
  readonly root: Parameters<typeof tableRows>[1]['root'];
  readonly relation: RelationEntry;
  readonly columns: readonly DescribedColumn[];
  readonly encoding: string;
}): { readonly made: MadeFile; readonly counts: () => CsvCounts } {
  const table = `table ${relation.schema}.${relation.name}`;
  const writers = columns.map(({ name, type }) => {
    const write: ColumnWriter = type.type === 'binary' ? 'binary' : (valueWriter(type) ?? 'text');
    return { name, write };
  });
  let last: CsvCounts = { rows: 0, nulls: [] };
  async function* parts(): AsyncGenerator<Uint8Array> {
    const rows = inUtf8(tableRows(source, { root, relation }), encoding);
    last = yield* csvOf(rows, { columns: writers, table });
    if (last.rows !== relation.digest.rows)
      throw storeError(
        'STORE_DAMAGED',
        `Cannot export ${table}: ${last.rows} rows, and ${relation.digest.rows} are listed`,
      );
  }
  const made: MadeFile = {
    async size() {
      let bytes = 0;
      for await (const part of parts()) bytes += part.length;
      return bytes;
    },
    parts,
  };
  return { made, counts: () => last };
}
