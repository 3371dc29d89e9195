import { resolve } from 'node:path';
import { checkWitness, type NamedDamage, updateWitness } from '../engine/index.ts';
import { type Store, storeError } from '../store/index.ts';
import type { Context } from './context.ts';

interface Verdict {
  readonly ok: boolean;
  readonly damage: readonly NamedDamage[];
}

/** Runs a verification beside a comparison with the witness, if there is one, and brings that up to date where all is well. */
export async function withWitness<T extends Verdict>(
  context: Context,
  { store, file }: { readonly store: Store; readonly file: string | undefined },
  verify: () => Promise<T>,
): Promise<T> {
  const witness = file === undefined ? context.config()?.values.witness : resolve(context.cwd, file);
  if (witness === undefined) return verify();
  const check = await checkWitness(store, { file: witness, signal: context.signal });
  const result = await verify().catch((error: unknown) => {
    // What the witness says may be why.
    for (const { object, state } of check.damage)
      context.output.warning(`The witness ${witness} contradicts ${object}: ${state}`);
    throw error;
  });
  const ok = result.ok && check.damage.length === 0;
  if (ok) await check.write();
  if (check.isFirst && ok)
    context.output.warning(`There was no witness ${witness}: it is made now, and nothing could be compared`);
  return { ...result, ok, damage: [...result.damage, ...check.damage] };
}

/** Before something is deleted: what the witness knows of, and is not there, may just not be listed. STORE_IMPLAUSIBLE. */
export async function heedWitness(context: Context, store: Store): Promise<void> {
  const file = context.config()?.values.witness;
  if (file === undefined) return;
  const [first, ...others] = (await checkWitness(store, { file, signal: context.signal })).damage;
  if (first === undefined) return;
  const more = others.length > 0 ? ` (and ${others.length} more)` : '';
  throw storeError(
    'STORE_IMPLAUSIBLE',
    `Cannot prune ${store.location}: the witness ${file} contradicts ${first.object}: ${first.state}${more}`,
    {
      remedy:
        'Nothing was deleted. Run `stillpoint verify`, and check that the medium lists everything (mounts, permissions) and who can write there. Where nothing brings it back, give the witness another name.',
    },
  );
}

/** After a commit. That it fails costs no snapshot, and is worth a word to whoever watches. */
export async function tellWitness(context: Context, store: Store): Promise<void> {
  const file = context.config()?.values.witness;
  if (file === undefined) return;
  for (const text of await updateWitness(store, { file, signal: context.signal }))
    context.output.warning(text);
}
