import { findSnapshot, type Snapshot } from '../engine/index.ts';
import type { Store } from '../store/index.ts';
import type { Context } from './context.ts';
import { instanceOf } from './settings/backup.ts';

/** How a person names a snapshot on the command line. */
export interface SnapshotWish {
  readonly snapshot: string;
  readonly instance?: string;
  readonly tag?: string;
}

/** The snapshot that was named. A manifest that cannot be read, and may be newer than `latest`, is warned of. */
export function snapshotNamed(context: Context, store: Store, wish: SnapshotWish): Promise<Snapshot> {
  const { tag } = wish;
  const instance = wish.instance ?? configuredInstance(context);
  const onDamage = (_id: string, { message }: Error) => context.output.warning(message);
  return findSnapshot(store, { name: wish.snapshot, filter: { instance, tag, onDamage } });
}

/** Says what of the store could not be read and was done without. */
export function warnOfProblems(context: Context, store: Store): void {
  for (const { error } of store.problems) {
    context.output.warning(
      `${error.message} (done without it; see what else is damaged with \`stillpoint verify\`)`,
    );
  }
}

/** `latest` means the configured instance, where there is a configuration. */
function configuredInstance(context: Context): string | undefined {
  const values = context.config()?.values;
  return values && (values.home || values.database) ? instanceOf(values) : undefined;
}
