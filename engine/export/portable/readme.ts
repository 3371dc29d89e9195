import type { SnapshotId } from '../../../store/index.ts';
import type { StoredDatabase } from '../../database/kind.ts';
import { printableText } from '../../look/names.ts';

/** What a person reads who wants the rows in another database than PostgreSQL. */
export function portableReadme(stored: StoredDatabase, snapshot: SnapshotId): string {
  const { name, tables, rows } = stored;
  return `# Tables of ${printableText(name)}

These are the rows of the database \`${printableText(name)}\` in snapshot \`${snapshot}\`, for any other
database or program: ${tables} tables, ${rows} rows. Views, functions and triggers are not here, since no other database
would take them; nor are the files of the home.

- \`tables/\` has a CSV file for each table that holds rows of its own.
- \`tables.json\` says of each: its columns with a type that is no vendor's and PostgreSQL's own, primary key, uniqueness,
  references, how many rows, how many NULLs in each column, the SHA-256 of the file. A partitioned table has its rows in its
  partitions (\`partitionOf\`).
- \`SHA256SUMS\` is for \`sha256sum -c SHA256SUMS\`.

## The files

RFC 4180: UTF-8, commas, lines end in CR LF, the first line has the names of the columns. **NULL is the word \`NULL\` without
quotes. Every other value is in quotes**, so \`""\` is an empty text and \`"NULL"\` is a text of four letters; a quote in a value is
written twice. A reader that does not tell the two apart can compare with the number of NULLs in \`tables.json\`.

| Type in \`tables.json\` | In the file |
|---|---|
| \`integer\`, \`decimal\`, \`float\` | digits; \`NaN\`, \`Infinity\`, \`-Infinity\` |
| \`boolean\` | \`true\`, \`false\` |
| \`binary\` | hexadecimal digits |
| \`date\`, \`time\`, \`timestamp\` | ISO 8601: \`2026-01-31T23:59:59.123456\`; \`infinity\`, \`-infinity\` |
| \`timestamp with time zone\` | the same in UTC, with a \`Z\` |
| \`text\`, \`uuid\`, \`json\`, \`xml\` | as they are |
| \`array\`, \`range\`, \`composite\`, \`interval\`, \`other\` | as PostgreSQL writes them: \`{a,b}\`, \`[a,b)\`, \`(a,b)\` |

## Loading

Make the tables from \`tables.json\`, load the files, then add keys and references: some refer to each other in a circle.

- PostgreSQL: \`COPY t FROM '/…/t.csv' (FORMAT csv, HEADER, NULL 'NULL')\`; binary columns through \`decode(…, 'hex')\`.
- MariaDB, MySQL: \`LOAD DATA LOCAL INFILE 't.csv' INTO TABLE t CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' ENCLOSED BY '"' ESCAPED BY ''
  LINES TERMINATED BY '\\r\\n' IGNORE 1 LINES\`, with a list of columns and \`SET b = UNHEX(@b)\` for binary ones; NULL is understood as it is.
- Others: read \`NULL\` without quotes as NULL.
`;
}
