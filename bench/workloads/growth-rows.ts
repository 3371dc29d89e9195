import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Cost } from '../compare/cost.ts';
import { runStatements } from '../rows/states.ts';
import { startServer } from '../servers/index.ts';
import { settled } from './files.ts';
import { programOn } from './program-on.ts';
import type { WorkloadOptions } from './workload.ts';

const rowCounts = [1_000_000, 10_000_000, 100_000_000];
const rowCountsQuick = [1_000, 3_000];

/** What a first and an unchanged backup cost, by the rows of a narrow table: many rows, and as few bytes as may be. */
export interface RowSeries {
  readonly first: Record<string, Cost[]>;
  readonly unchanged: Record<string, Cost[]>;
}

/** Backs real tables up, two numbers a row. */
export async function growRows({ folder, quick, say }: WorkloadOptions): Promise<RowSeries> {
  const series: RowSeries = { first: {}, unchanged: {} };
  await using server = await startServer({
    kind: 'debian',
    storage: 'disk',
    settings: { shared_buffers: '512MB', max_wal_size: '4GB', autovacuum: 'off' },
  });
  for (const rows of quick ? rowCountsQuick : rowCounts) {
    const scratch = join(folder, `rows-${rows}`);
    mkdirSync(scratch);
    const url = await server.createDatabase(`rows_${rows}`);
    await runStatements(url, [
      `CREATE TABLE pair AS SELECT i AS id, (i * 7919) % 1000003 AS value FROM generate_series(1::bigint, ${rows}) i`,
      'VACUUM (FREEZE, ANALYZE) pair',
      'CHECKPOINT',
    ]);
    const program = programOn({ server, url, scratch });
    await program('init');
    const label = `${rows.toLocaleString('en-US')} rows`;
    series.first[label] = [await settled(() => program('backup'))];
    series.unchanged[label] = [await settled(() => program('backup'))];
    const told = ([cost]: readonly Cost[]) =>
      `${cost!.seconds.toFixed(2)} s, ${((cost!.peakBytes ?? 0) / 1e6).toFixed(0)} MB`;
    say(`  ${label}: first copy ${told(series.first[label])}; unchanged ${told(series.unchanged[label])}`);
    await runStatements(server.superuserUrl, [`DROP DATABASE rows_${rows}`]);
    rmSync(scratch, { recursive: true, force: true });
  }
  return series;
}
