import type { PairedDatabase, Snapshot } from '../../engine/index.ts';
import { oneLine } from './output.ts';
import { utcTime } from './quantities.ts';

/** What a manifest says, as JSON; without what only the store can read. */
export function snapshotJson(snapshot: Snapshot): Record<string, unknown> {
  const { home, database, fence } = snapshot;
  return {
    id: snapshot.id,
    instance: snapshot.instance,
    host: snapshot.host,
    sequence: snapshot.sequence,
    time: utcTime(snapshot.timeMs),
    durationMs: snapshot.durationMs,
    tags: snapshot.tags,
    parent: snapshot.parent,
    program: snapshot.program,
    fence,
    forecast: snapshot.forecast,
    home: home && {
      ...home,
      roots: home.roots.map(root => ({ path: pathText(root.path), entries: root.listing.entries })),
    },
    database: database && databaseJson(database),
    ...(snapshot.internal && {
      internal: snapshot.internal.map(({ path, bytes }) => ({ path: pathText(path), bytes })),
    }),
    warnings: snapshot.warnings,
    commands: snapshot.commands,
    degraded: snapshot.degraded ?? null,
    configuration: JSON.parse(snapshot.configuration) as unknown,
  };
}

function databaseJson(database: PairedDatabase): Record<string, unknown> {
  const { listing: _listing, ...told } = database;
  return told.type === 'unknown' ? { ...told, type: told.kind, kind: undefined, value: undefined } : told;
}

export function pathText(path: Uint8Array): string {
  return oneLine(Buffer.from(path).toString('utf8'));
}
