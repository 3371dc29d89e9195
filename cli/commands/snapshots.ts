import { listSnapshots, type Snapshot } from '../../engine/index.ts';
import type { Command } from '../context.ts';
import { openConfiguredStore } from '../open-store.ts';
import { count, duration, localTime, size, utcTime } from '../render/quantities.ts';
import { table } from '../render/table.ts';

interface SnapshotsOptions {
  readonly instance?: string;
  readonly tag?: string;
}

/** Lists the snapshots, newest last. */
export const snapshots: Command<SnapshotsOptions> = async (context, options) => {
  await using store = await openConfiguredStore(context);
  const found = await listSnapshots(store, options);
  context.output.result(
    { snapshots: found.map(toJson) },
    found.length === 0 ? 'No snapshots.' : toTable(found),
  );
  return 0;
};

function toJson(snapshot: Snapshot): Record<string, unknown> {
  return {
    id: snapshot.id,
    instance: snapshot.instance,
    time: utcTime(snapshot.timeMs),
    tags: snapshot.tags,
    parent: snapshot.parent,
    fence: snapshot.fence.kind,
    latchHeldMs: snapshot.fence.heldMs,
    homeFiles: snapshot.home?.files ?? 0,
    homeBytes: snapshot.home?.bytes ?? 0,
    databaseRows: snapshot.database?.rows ?? 0,
    verifiedAt: null,
    held: false,
  };
}

function toTable(found: readonly Snapshot[]): string {
  return table(
    ['snapshot', 'time', 'instance', 'files', 'size', 'rows', 'held for', 'tags'],
    found.map(snapshot => [
      snapshot.id.slice(0, 8),
      localTime(snapshot.timeMs),
      snapshot.instance,
      count(snapshot.home?.files ?? 0),
      size((snapshot.home?.bytes ?? 0) + (snapshot.database?.bytes ?? 0)),
      count(snapshot.database?.rows ?? 0),
      duration(snapshot.fence.heldMs),
      snapshot.tags.join(', '),
    ]),
  );
}
