import type { DatabasePrecopied, PrecopyOptions } from '../../database.ts';
import { advanceTables } from '../changes/advance.ts';
import { isInReach, type KnownSegment } from '../changes/advance-segment.ts';
import type { LoadedBase } from '../changes/base.ts';
import {
  isAdvancing,
  isReusable,
  type TableKey,
  type TableState,
  type ViewedTable,
} from '../changes/table-state.ts';
import type { Connection } from '../connect/connection.ts';
import type { Pinned } from './pin.ts';
import { tablesOfOtherTypes, viewTables } from './view.ts';

/** Tables that were read before the lock, by oid. They live as long as the connections: no crash can come between. */
export type Precopied = ReadonlyMap<number, { readonly key: TableKey; readonly state: TableState }>;

export interface PrecopyJob extends PrecopyOptions {
  /** A view of its own, which the readers share. */
  readonly pinned: Pinned;
  readonly threshold: bigint;
  readonly fingerprintSql: string;
  readonly encoding: string;
  readonly watch: Connection;
  readonly readers: readonly Connection[];
  readonly loaded: LoadedBase | undefined;
  readonly stateOf: (table: ViewedTable) => TableState | undefined;
}

/** Which tables a pre-copy reads. Those that no later view could build upon are left for the pin. */
export function isToPrecopy(table: ViewedTable, job: Pick<PrecopyJob, 'mode' | 'stateOf'>): boolean {
  return isAdvancing(table) && (job.mode === 'all' || job.stateOf(table) === undefined);
}

/** Reads and stores tables from a live view. */
export async function precopyTables(
  job: PrecopyJob,
): Promise<{ readonly precopied: Precopied; readonly result: DatabasePrecopied }> {
  const { pinned, watch, threshold } = job;
  const reader = job.readers[0]!;
  const tables = (await viewTables(reader, { ...job, ...pinned })).filter(table => isToPrecopy(table, job));
  const states = tables.map(table => ({ table, state: job.stateOf(table) }));
  const segments = new Map<number, KnownSegment[]>(tables.map(one => [one.relation.oid, []]));
  const {
    segments: read,
    rows,
    bytes,
  } = await advanceTables(
    {
      ...job,
      audits: false, // the rows of the pin are what counts
      xmax: pinned.xmax,
      onSegment: ({ relation }, segment) => segments.get(relation.oid)!.push(segment),
    },
    states,
  );
  const precopied = new Map(
    states.map(({ table, state }) => {
      const segmentBlocks = state?.segmentBlocks ?? table.segmentBlocks;
      const known = segments.get(table.relation.oid)!;
      return [
        table.relation.oid,
        {
          key: { ...table.relation, kind: kindOf(table), definition: table.definition, segmentBlocks },
          state: { threshold, segmentBlocks, segments: () => known, isDependable: async () => true },
        },
      ];
    }),
  );
  for (const { oid } of await tablesOfOtherTypes({ watch, reader }, { ...job, tables }))
    precopied.delete(oid);
  return { precopied, result: { segments: read, rows, bytes } };
}

function kindOf({ relation }: ViewedTable): TableKey['kind'] {
  return relation.kind === 'large-objects' ? 'large-objects' : 'table';
}

/** The state of a table that was read before the lock, where it still is that table. */
export function precopiedState(
  precopied: Precopied,
  table: ViewedTable,
  view: { readonly xmax: bigint },
): TableState | undefined {
  const found = precopied.get(table.relation.oid);
  if (!found || !isReusable(found.key, table) || !isInReach(found.state.threshold, view.xmax))
    return undefined;
  return found.state;
}
