import type { PostgresAddress } from '../../database/index.ts';
import type { Connection } from '../../database/postgres/connect/connection.ts';
import type { Check } from '../check.ts';
import { bad, type Finding, good, warn } from '../finding.ts';
import { askServer } from './session.ts';

const name = 'server settings';

/** What the server's configuration does to a backup, or to the data that it is of. */
export function checkServerSettings(address: PostgresAddress): Check {
  return askServer(address, { name, ask });
}

async function ask(connection: Connection): Promise<Finding[]> {
  const rows = await connection.rows<{ name: string; setting: string }>(
    'read the settings of the server',
    `SELECT name, setting FROM pg_catalog.pg_settings
     WHERE name = ANY ('{fsync,full_page_writes,synchronous_commit,old_snapshot_threshold,statement_timeout,
       transaction_timeout,idle_session_timeout,idle_in_transaction_session_timeout}')`,
  );
  const settings = new Map(rows.map(row => [row.name, row.setting]));
  const findings = [...judgeDurability(settings), ...judgeTimeouts(settings)];
  return findings.length > 0 ? findings : [good(name, 'nothing in them loses rows or ends a long read')];
}

/** A crash of such a server can lose commits, or the database. */
function judgeDurability(settings: ReadonlyMap<string, string>): Finding[] {
  const findings: Finding[] = [];
  for (const setting of ['fsync', 'full_page_writes']) {
    if (settings.get(setting) !== 'off') continue;
    const found = `${setting} is off: a crash of its machine can destroy the database`;
    findings.push(
      warn(name, { found, remedy: `ALTER SYSTEM SET ${setting} = on; then SELECT pg_reload_conf();` }),
    );
  }
  if (settings.get('synchronous_commit') === 'off') {
    const found = 'synchronous_commit is off: a crash can lose commits that a snapshot holds';
    findings.push(
      warn(name, {
        found,
        remedy: 'ALTER SYSTEM SET synchronous_commit = on; then SELECT pg_reload_conf();',
      }),
    );
  }
  return findings;
}

/** A run sets its own time-outs to none; what it cannot set, or what was set against it, ends its view. */
function judgeTimeouts(settings: ReadonlyMap<string, string>): Finding[] {
  const findings: Finding[] = [];
  const threshold = Number(settings.get('old_snapshot_threshold') ?? -1);
  if (threshold >= 0) {
    const found = `old_snapshot_threshold is ${threshold} min: the view of a longer backup is taken away`;
    findings.push(
      bad(name, { found, remedy: 'ALTER SYSTEM SET old_snapshot_threshold = -1; then restart the server.' }),
    );
  }
  for (const setting of [
    'statement_timeout',
    'transaction_timeout',
    'idle_session_timeout',
    'idle_in_transaction_session_timeout',
  ]) {
    const value = settings.get(setting) ?? '0';
    if (value === '0') continue;
    const found = `${setting} stays ${value} ms although a run sets it to 0: it would end the view of a backup`;
    findings.push(bad(name, { found, remedy: `Let the role of the backup set ${setting}.` }));
  }
  return findings;
}
