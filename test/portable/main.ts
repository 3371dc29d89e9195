import assert from 'node:assert/strict';
import { join } from 'node:path';
import { availableServers } from '../../bench/servers/index.ts';
import { readTables, rowsByServer, sortedRows } from '../helpers/portable-tables.ts';
import { smallRig } from '../helpers/small-rig.ts';
import { loadTables, noMariadb, readBack, startMariadb } from './mariadb.ts';

/** Exports the tables of the stand-in, loads them into MariaDB by their description, and compares row for row. */
if (noMariadb !== undefined) {
  console.log(`not compared: ${noMariadb}`);
} else {
  for (const { kind, version } of await availableServers()) {
    await using rig = await smallRig({ server: kind, rows: 3_000 });
    await rig.summary(['backup', '--json']);
    const folder = join(rig.folder, 'tables');
    await rig.summary(['export', 'latest', '--portable', '-o', folder, '--json']);
    const tables = readTables(folder);
    const expected = await rowsByServer(rig.server.url('bitbucket'), tables);
    await using mariadb = await startMariadb(join(rig.folder, 'mariadb'));
    const references = loadTables(mariadb, folder, tables);
    let rows = 0;
    for (const table of tables) {
      const name = `${table.schema}.${table.name}`;
      const found = sortedRows(readBack(mariadb, table).rows, table, tables);
      assert.deepEqual(found, expected.get(name), name);
      rows += found.length;
    }
    console.log(
      `PostgreSQL ${version} in MariaDB ${mariadb.version}: ${tables.length} tables, ${rows} rows, ${references} references, 0 differences`,
    );
  }
}
