import { type Listed, listPath } from '../../engine/index.ts';
import type { Command } from '../context.ts';
import { openConfiguredStore } from '../open-store.ts';
import { jsonDocument, pour } from '../pour.ts';
import { entryCells, entryJson, inColumns } from '../render/entries.ts';
import { toJsonText } from '../render/output.ts';
import { type SnapshotWish, snapshotNamed } from '../snapshot-named.ts';

interface LsOptions extends SnapshotWish {
  readonly path?: string;
  readonly recursive?: true;
}

/** Lists what a snapshot holds at a path: the folder's entries, or the one thing that is named. */
export const ls: Command<LsOptions> = async (context, options) => {
  await using store = await openConfiguredStore(context);
  const snapshot = await snapshotNamed(context, store, options);
  const isDeep = options.recursive ?? false;
  const path = options.path ?? '';
  const { owners, entries } = await listPath(store, { snapshot, path, isDeep });
  if (context.output.json) {
    const head = { snapshot: snapshot.id, path };
    const items = mapped(entries, listed => entryJson(listed, owners));
    await pour(context, jsonDocument({ head, lists: [['entries', items]], toText: toJsonText }));
  } else {
    const names = isDeep ? 'whole' : 'last';
    await pour(context, inColumns(mapped(entries, listed => entryCells(listed, { owners, names }))));
  }
  return 0;
};

async function* mapped<T>(entries: AsyncIterable<Listed>, to: (listed: Listed) => T): AsyncGenerator<T> {
  for await (const listed of entries) yield to(listed);
}
