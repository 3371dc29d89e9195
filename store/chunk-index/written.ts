import type { StoreContext } from '../context.ts';
import type { PackId } from '../ids.ts';
import type { PackRow } from '../pack/row.ts';
import { ledgerRecord } from '../protocol/records.ts';
import { openRecord } from '../record.ts';
import { callOf, namesOf, tolerate } from './masks.ts';

interface Claim {
  readonly row: PackRow;
  readonly host: string;
  /** Another host says something else of the same pack, so that only the pack itself can tell. */
  readonly isContested: boolean;
  readonly isCertain: boolean;
}

/**
 * What hosts without the passphrase say of packs: their word alone. It is taken once everything that key holders say is
 * known, so that no host can say something else of a pack that they list.
 */
export class Claims {
  readonly #claims = new Map<PackId, Claim>();

  add(row: PackRow, { host, isCertain }: { readonly host: string; readonly isCertain: boolean }): void {
    const known = this.#claims.get(row.pack);
    if (known === undefined) {
      this.#claims.set(row.pack, { row, host, isContested: false, isCertain });
      return;
    }
    this.#claims.set(row.pack, {
      ...known,
      isContested: known.isContested || !sameRow(known.row, row),
      isCertain: known.isCertain || isCertain,
    });
  }

  get size(): number {
    return this.#claims.size;
  }

  [Symbol.iterator](): Iterator<Claim> {
    return this.#claims.values();
  }
}

export function sameRow(a: PackRow, b: PackRow): boolean {
  return (
    a.pack === b.pack &&
    a.chunkClass === b.chunkClass &&
    Buffer.compare(a.frames, b.frames) === 0 &&
    Buffer.compare(a.chunks, b.chunks) === 0
  );
}

/** A time past the clock by more is a clock that was wrong. */
export const aheadMsMax = 3_600_000;

const ledgerPattern = /^ledger\/[0-9a-f]{64}$/;

/** Packs of which a key holder has read every byte, and last found them whole. What cannot be read proves nothing. */
export async function packsRead(
  context: StoreContext,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<ReadonlySet<PackId>> {
  const { backend, ring, seams } = context;
  const lastOk = new Map<PackId, { readonly ms: number; readonly isOk: boolean }>();
  const aheadMs = seams.clock.nowMs() + aheadMsMax;
  for (const name of await namesOf(context, { prefix: 'ledger/', pattern: ledgerPattern }, options))
    await tolerate([], name, async () => {
      const bytes = await backend.get(name, callOf(options));
      const record = ledgerRecord.decode(openRecord(ring, bytes, { kind: 'ledger', name }).fields, name);
      for (const { packs, finishedMs, isOk } of [...(record.earlier ?? []), record])
        for (const pack of packs) {
          // What a clock that was ahead noted was noted before what a believable one did.
          const ms = finishedMs > aheadMs ? -1 : finishedMs;
          if (ms >= (lastOk.get(pack)?.ms ?? -1)) lastOk.set(pack, { ms, isOk });
        }
    });
  return new Set([...lastOk].flatMap(([pack, { isOk }]) => (isOk ? [pack] : [])));
}
