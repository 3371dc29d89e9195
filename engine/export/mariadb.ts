import type { ExportDatabaseOptions, StoredDatabase } from '../database/kind.ts';
import { clientCommand, databaseScript, grantsScript } from '../database/mysql/script.ts';
import { printableText } from '../look/names.ts';
import { type FileTarget, type MadeFile, textFile } from './archive.ts';

/** A database as one script that MariaDB's client loads, and the rights in it for a person to look at. */
export async function exportForMariadb(
  target: FileTarget,
  options: ExportDatabaseOptions,
): Promise<{ readonly tables: number; readonly rows: number }> {
  const { source, signal, stored } = options;
  const from = { source, root: stored.listing, signal };
  await target.put('database/grants.sql', textFile(await grantsScript(from)));
  const done = { rows: 0, bytes: 0 };
  const onProgress = ({ rows, bytes }: typeof done): void => {
    options.onTable?.(rows - done.rows, bytes - done.bytes);
    Object.assign(done, { rows, bytes });
  };
  await target.put(
    'database/load.sql',
    madeOf(report => databaseScript({ ...from, ...(report && { onProgress }) })),
  );
  return { tables: stored.tables, rows: stored.rows };
}

/** Made twice, since an archive says how long it is before it comes; only the second time is told. */
function madeOf(pieces: (report: boolean) => AsyncIterable<Uint8Array | string>): MadeFile {
  return {
    async size() {
      let total = 0;
      for await (const piece of pieces(false)) total += Buffer.byteLength(piece);
      return total;
    },
    async *parts() {
      for await (const piece of pieces(true)) yield typeof piece === 'string' ? Buffer.from(piece) : piece;
    },
  };
}

/** What a person does with the folder: a part of the archive's README. */
export function mariadbInstructions({ name, serverVersion, tables, rows }: StoredDatabase): string {
  return `## The database

It was \`${printableText(name)}\` on MariaDB ${printableText(serverVersion)}: ${tables} tables, ${rows} rows. Install a server of that version or a newer one, and its client.

1. Make an empty database; its character set and comment come with what is loaded:

        mariadb -e 'CREATE DATABASE NAME'

2. Load it, as a user who may do everything:

        ${clientCommand} NAME < database/load.sql

   It refuses a database that holds something, and stops at the first error. \`loaded, and every table has its rows\` is its last line:
   each table was counted. After an error drop the database and begin again at 1. A row of more than 16 MB needs a \`max_allowed_packet\`
   of the server that is larger, too.
3. Views, routines, triggers and events act for accounts: \`database/grants.sql\` names those that had rights in it. Where
   \`event_scheduler\` is on, events run from now on.
`;
}
