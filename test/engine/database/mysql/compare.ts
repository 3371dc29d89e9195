import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { MariadbServer } from '../../../../bench/servers/index.ts';

const run = promisify(execFile);

/** What the vendor's own tool says of a database, and its own checksum of every table; nothing of the program's. */
export async function describeMariadb(
  server: MariadbServer,
  database: string,
): Promise<Record<string, string>> {
  const { stdout } = await run(
    'mariadb-dump',
    [
      ...[
        '--no-defaults',
        `--socket=${server.socketPath}`,
        '--user=root',
        '--routines',
        '--triggers',
        '--events',
      ],
      ...['--skip-comments', '--skip-dump-date', '--hex-blob', '--skip-extended-insert', '--force', database],
    ],
    { maxBuffer: 1 << 28, encoding: 'latin1' },
  ).catch((error: { stdout?: string }) => ({ stdout: error.stdout ?? '' })); // a broken view is an error to it
  const tables = await server.sql(
    `SELECT TABLE_NAME AS name, AUTO_INCREMENT AS next FROM information_schema.TABLES
     WHERE TABLE_SCHEMA = '${database}' AND TABLE_TYPE = 'BASE TABLE' ORDER BY 1`,
  );
  // A default from a sequence is shown with the name of its database.
  const described: Record<string, string> = { dump: stdout.replaceAll(`\`${database}\`.`, '') };
  for (const { name, next } of tables) {
    const [sum] = await server.sql(
      `CHECKSUM TABLE \`${database}\`.\`${String(name).replaceAll('`', '``')}\` EXTENDED`,
    );
    described[String(name)] = `${sum?.['Checksum']} next ${next}`;
  }
  return described;
}
