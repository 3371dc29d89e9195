import { printableText, type Snapshot } from '../../engine/index.ts';
import { readHolds } from '../../store/index.ts';
import type { Command } from '../context.ts';
import { openConfiguredStore } from '../open-store.ts';
import { configurationText } from '../render/configuration.ts';
import { oneLine } from '../render/output.ts';
import { describeCommands, describeDegraded, describeFence, describeHalves } from '../render/pair.ts';
import { localTime } from '../render/quantities.ts';
import { pathText, snapshotJson } from '../render/snapshot-json.ts';
import { type SnapshotWish, snapshotNamed } from '../snapshot-named.ts';

interface ShowOptions extends SnapshotWish {
  readonly config?: string | true;
}

/** Shows what a snapshot pairs and how it was held, or the configuration that made it. */
export const show: Command<ShowOptions> = async (context, options) => {
  await using store = await openConfiguredStore(context);
  const snapshot = await snapshotNamed(context, store, options);
  if (options.config === true) {
    const configuration = JSON.parse(snapshot.configuration) as Record<string, unknown>;
    context.output.result({ snapshot: snapshot.id, configuration }, configurationText(configuration));
    return 0;
  }
  const isHeld = (await readHolds(store, { signal: context.signal })).has(snapshot.id);
  context.output.result(
    { ...snapshotJson(snapshot), held: isHeld },
    [toText(snapshot), ...(isHeld ? ['hold       kept from every policy'] : [])].join('\n'),
  );
  return 0;
};

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
