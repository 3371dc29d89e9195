import { type PairedDatabase, printableText, type Snapshot } from '../../engine/index.ts';
import { readHolds } from '../../store/index.ts';
import type { Command } from '../context.ts';
import { openConfiguredStore } from '../open-store.ts';
import { configurationText } from '../render/configuration.ts';
import { oneLine } from '../render/output.ts';
import { describeCommands, describeDegraded, describeFence, describeHalves } from '../render/pair.ts';
import { localTime, utcTime } from '../render/quantities.ts';
import { type SnapshotWish, snapshotNamed } from '../snapshot-named.ts';

interface ShowOptions extends SnapshotWish {
  readonly config?: string | true;
}

/** Shows what a snapshot pairs and how it was held, or the configuration that made it. */
export const show: Command<ShowOptions> = async (context, options) => {
  await using store = await openConfiguredStore(context);
  const snapshot = await snapshotNamed(context, store, options);
  const configuration = JSON.parse(snapshot.configuration) as Record<string, unknown>;
  if (options.config === true) {
    context.output.result({ snapshot: snapshot.id, configuration }, configurationText(configuration));
    return 0;
  }
  const isHeld = (await readHolds(store, { signal: context.signal })).has(snapshot.id);
  context.output.result(
    { ...toJson(snapshot, configuration), held: isHeld },
    [toText(snapshot), ...(isHeld ? ['hold       kept from every policy'] : [])].join('\n'),
  );
  return 0;
};

function toJson(snapshot: Snapshot, configuration: unknown): Record<string, unknown> {
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
    configuration,
  };
}

function databaseJson(database: PairedDatabase): Record<string, unknown> {
  const { listing: _listing, ...told } = database;
  return told.type === 'unknown' ? { ...told, type: told.kind, kind: undefined, value: undefined } : told;
}

export function toText(snapshot: Snapshot): string {
  const { home } = snapshot;
  return [
    `snapshot   ${snapshot.id}`,
    `time       ${localTime(snapshot.timeMs)}`,
    `instance   ${printableText(snapshot.instance)} (host ${printableText(snapshot.host)}, run ${snapshot.sequence})`,
    ...(snapshot.tags.length > 0 ? [`tags       ${snapshot.tags.map(printableText).join(', ')}`] : []),
    ...describeHalves(snapshot),
    ...(home?.roots.map(root => `  root     ${pathText(root.path)}`) ?? []),
    ...describeFence(snapshot),
    ...describeCommands(snapshot.commands),
    ...(home?.unreadable.map(name => `unreadable ${oneLine(name)}`) ?? []),
    ...snapshot.warnings.map(warning => `warning    ${oneLine(warning)}`),
    ...describeDegraded(snapshot),
  ].join('\n');
}

function pathText(path: Uint8Array): string {
  return oneLine(Buffer.from(path).toString('utf8'));
}
