import { resolve } from 'node:path';
import { checkWitness, type NamedDamage, updateWitness } from '../engine/index.ts';
import type { Store } from '../store/index.ts';
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

/** After a commit. That it fails costs no snapshot, and is worth a word to whoever watches. */
export async function tellWitness(context: Context, store: Store): Promise<void> {
  const file = context.config()?.values.witness;
  if (file === undefined) return;
  for (const text of await updateWitness(store, { file, signal: context.signal }))
    context.output.warning(text);
}
