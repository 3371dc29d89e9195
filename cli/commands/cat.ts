import { readPath } from '../../engine/index.ts';
import type { Command } from '../context.ts';
import { openConfiguredStore } from '../open-store.ts';
import { pour } from '../pour.ts';
import { type SnapshotWish, snapshotNamed } from '../snapshot-named.ts';

interface CatOptions extends SnapshotWish {
  readonly path: string;
}

/** Prints the bytes that a path of a snapshot names, as they are: with --json, too; only its errors are JSON. */
export const cat: Command<CatOptions> = async (context, options) => {
  await using store = await openConfiguredStore(context);
  const snapshot = await snapshotNamed(context, store, options);
  await pour(context, readPath(store, { snapshot, path: options.path }));
  return 0;
};
