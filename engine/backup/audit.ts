import type { DatabaseAudit, DatabaseResult } from '../database/index.ts';
import type { Snapshot } from '../pair.ts';
import type { BackupOptions } from './options.ts';

/** When all rows are read again and compared with what the store has of them. */
export interface AuditOptions {
  /** By this run. */
  readonly isAsked: boolean;
  /** By every so manieth snapshot; 0: only where asked for. */
  readonly every: number;
}

/**
 * Not while the application is held until all is durable: it would wait for every row. Where nobody has counted since the
 * last audit, one is due. A first snapshot reads all rows anyway.
 */
export function isAuditDue(
  parent: Pick<Snapshot, 'database'> | null,
  { audit, holdUntil }: Pick<BackupOptions, 'audit' | 'holdUntil'>,
): boolean {
  if (!audit || holdUntil === 'durable') return false;
  const before = parent?.database;
  if (audit.isAsked) return true;
  if (audit.every === 0 || !before) return false;
  return (before.backupsSinceAudit ?? Number.POSITIVE_INFINITY) + 1 >= audit.every;
}

/** For the manifest; undefined: nobody counted, or there is no such thing for this kind of database. */
export function backupsSinceAudit(
  parent: Pick<Snapshot, 'database'> | null,
  { audit }: Pick<DatabaseResult, 'audit'>,
): number | undefined {
  if (audit === undefined) return undefined;
  if (audit !== null || !parent?.database) return 0;
  const { backupsSinceAudit: before } = parent.database;
  return before === undefined ? undefined : before + 1;
}

/** What an audit found, for people: the new snapshot is right, and those before it are not to be trusted there. */
export function auditWarnings(audit: DatabaseAudit | null, parent: Pick<Snapshot, 'id'> | null): string[] {
  return (audit?.differences ?? []).map(({ table, rows, places }) => {
    const where = places.length === 0 ? 'the store cannot give them back' : `at ${places.join(', ')}`;
    return `The audit found ${rows} rows of ${table} that the store does not have as the server has them (${where}). This snapshot holds those of the server; ${parent?.id.slice(0, 8) ?? 'what it was built on'} and perhaps others back to the last audit do not: do not restore that table from them`;
  });
}
