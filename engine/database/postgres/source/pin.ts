import { StillpointError } from '../../../../store/index.ts';
import { engineError } from '../../../errors.ts';
import { fingerprintOf } from '../catalog/fingerprint.ts';
import { listRelations, type Relation } from '../catalog/relations.ts';
import { sequenceStatements, sequenceValues } from '../catalog/sequences.ts';
import type { Position } from '../changes/base.ts';
import type { Connection } from '../connect/connection.ts';
import { isOutOfLocks } from '../connect/failure.ts';
import type { SequenceValue } from '../entries/entry.ts';
import { qualified } from '../sql/quoting.ts';

/** What was read before the lock and is expected to be still true at the pin. */
export interface PinPlan {
  readonly relations: readonly Relation[];
  readonly fingerprintSql: string;
  readonly fingerprint: Uint8Array;
  /** True once the connection knows the plan's statements by name: see warmView. */
  readonly isWarm: boolean;
}

/** The view that is held, and what is not part of it and was therefore read at once. */
export interface Pinned {
  readonly exportedSnapshot: string;
  readonly lsn: string;
  readonly xmin: bigint;
  readonly xmax: bigint;
  /** When the transaction began, as the server writes it: tells this transaction from a later one. */
  readonly transaction: string;
  readonly relations: readonly Relation[];
  readonly sequences: readonly SequenceValue[];
  readonly fingerprint: Uint8Array;
  /** False: the definitions are not those of the plan. */
  readonly isAsPlanned: boolean;
}

/** Definitions may change while we pin; an application in maintenance does not do so for ever. */
const attemptsMax = 5;

/** `42P01` and kin: what the plan names is gone or has become something else. */
const staleStates = new Set(['42P01', '3F000', '42809', '42704', '55000', '42501']);

/**
 * Holds a view in one round trip: locks first, so that nobody can truncate or rewrite what the snapshot then sees. What
 * was made since the plan is found by the catalog fingerprint; then the view is let go and taken again with those locks.
 */
export async function pinView(connection: Connection, plan: PinPlan): Promise<Pinned> {
  let relations = plan.relations;
  for (let attempt = 1; ; attempt += 1) {
    const isWarm = plan.isWarm && relations === plan.relations;
    const view = await takeView(connection, { ...plan, relations, isWarm }).catch(async (error: unknown) => {
      if (connection.isLost || attempt === attemptsMax || !isStale(error)) throw error;
      return undefined;
    });
    if (view && Buffer.compare(view.fingerprint, plan.fingerprint) === 0 && relations === plan.relations)
      return { ...view, relations, isAsPlanned: true };
    if (!view) await connection.script('let go of a view', ['ROLLBACK']);
    const found = await listRelations(connection);
    if (view && holdsAll(relations, found)) return { ...view, relations: found, isAsPlanned: false };
    if (view) await connection.script('let go of a view', ['ROLLBACK']);
    if (attempt === attemptsMax)
      throw engineError('DATABASE_FAILED', 'Cannot pin the database: tables keep being made', {
        remedy: 'Run it again when nobody changes tables.',
      });
    relations = found;
  }
}

/** Makes another connection see the pinned view, with locks of its own. Waits for nobody. */
export async function joinView(connection: Connection, pinned: Pinned): Promise<void> {
  await connection.script('share the pinned view', [
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
    `SET TRANSACTION SNAPSHOT '${pinned.exportedSnapshot}'`,
    // Blocks are to be read by TID range, and in order.
    ...['seqscan', 'indexscan', 'indexonlyscan', 'bitmapscan'].map(way => `SET LOCAL enable_${way} = off`),
    ...lockStatements(pinned.relations, 'NOWAIT'),
  ]);
}

/**
 * True while this connection is in the very transaction that pinned (or, where that is null, in one that sees the same),
 * and that has not failed.
 */
export async function stillHolds(
  connection: Connection,
  pinned: { readonly xmin: bigint; readonly xmax: bigint; readonly transaction: string | null },
): Promise<boolean> {
  try {
    const [row] = (
      await connection.script('check the pin', [
        `SELECT pg_catalog.pg_backend_pid(), ${transactionSql}, ${snapshotSql}`,
      ])
    )[0]!;
    return (
      row![0] === connection.backendPid &&
      (pinned.transaction === null || row![1] === pinned.transaction) &&
      row![2] === String(pinned.xmin) &&
      row![3] === String(pinned.xmax)
    );
  } catch {
    return false; // lost or failed: either way nothing is held any more, and that is the answer
  }
}

/** Where the server is: the position of its log, and the transaction ids of the snapshot. */
export const positionSql = `pg_catalog.pg_current_wal_insert_lsn()::text,
  pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text,
  pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text`;

export function positionFrom([lsn, xmin, xmax]: readonly string[]): Position {
  return { lsn: lsn!, xmin: BigInt(xmin!), xmax: BigInt(xmax!) };
}

const transactionSql = 'pg_catalog.transaction_timestamp()::text';
const snapshotSql = `pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text,
  pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text`;

type View = Omit<Pinned, 'relations' | 'isAsPlanned'>;

const preparedName = 'stillpoint_pin';

/**
 * Parses and plans before the lock what the pin will ask, and lets every connection meet the tables: a backend that sees
 * 300 tables for the first time needs tens of milliseconds more.
 */
export async function warmView(
  connection: Connection,
  options: { readonly plan: PinPlan; readonly readers: readonly Connection[] },
): Promise<PinPlan> {
  const { plan, readers } = options;
  const statements = questions(plan, connection.serverVersionNumber);
  await connection.script('prepare the pin', [
    'DEALLOCATE ALL',
    ...statements.map((sql, i) => `PREPARE ${preparedName}_${i} AS ${sql}`),
  ]);
  const warm = { ...plan, isWarm: true };
  try {
    const view = await takeView(connection, warm);
    const pinned = { ...view, relations: plan.relations, isAsPlanned: true };
    await Promise.all(readers.map(reader => joinView(reader, pinned)));
  } catch (error) {
    // Somebody else holds a lock now; what counts is the pin, where it would be an error.
    if (isOutOfLocks(error) || [connection, ...readers].some(one => one.isLost)) throw error;
  }
  for (const one of [connection, ...readers]) await one.script('prepare the pin', ['ROLLBACK']);
  return warm;
}

/** What is asked inside the pin beside its own name: sequences, then the catalog fingerprint. */
function questions(plan: PinPlan, serverVersionNumber: number): string[] {
  return [...sequenceStatements(plan.relations, serverVersionNumber), plan.fingerprintSql];
}

async function takeView(connection: Connection, plan: PinPlan): Promise<View> {
  const locks = lockStatements(plan.relations);
  const asked = questions(plan, connection.serverVersionNumber);
  const results = await connection.script('pin the database', [
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
    ...locks,
    `SELECT pg_catalog.pg_export_snapshot(), ${transactionSql}, ${positionSql}`,
    ...(plan.isWarm ? asked.map((_, i) => `EXECUTE ${preparedName}_${i}`) : asked),
  ]);
  const [facts, ...answers] = results.slice(1 + locks.length);
  const [exportedSnapshot, transaction, ...position] = facts![0] as readonly string[];
  return {
    exportedSnapshot: exportedSnapshot!,
    transaction: transaction!,
    ...positionFrom(position),
    sequences: sequenceValues(answers.slice(0, -1).flat(), plan.relations),
    fingerprint: fingerprintOf(answers.at(-1)!),
  };
}

const lockable: ReadonlySet<Relation['kind']> = new Set(['table', 'partitioned', 'large-objects']);

function lockStatements(relations: readonly Relation[], wait: 'NOWAIT' | '' = ''): string[] {
  const names = relations.filter(one => lockable.has(one.kind)).map(one => `ONLY ${qualified(one)}`);
  return names.length === 0 ? [] : [`LOCK TABLE ${names.join(', ')} IN ACCESS SHARE MODE ${wait}`];
}

/** Every relation found that must be locked or read at the pin was so under the list that was used. */
function holdsAll(used: readonly Relation[], found: readonly Relation[]): boolean {
  const held = new Map(used.map(one => [one.oid, one]));
  return found.every(one => {
    if (!lockable.has(one.kind) && one.kind !== 'sequence') return true;
    const other = held.get(one.oid);
    return other !== undefined && other.name === one.name && other.schema === one.schema;
  });
}

function isStale(error: unknown): boolean {
  return error instanceof StillpointError && staleStates.has(String(error.context['sqlState']));
}
