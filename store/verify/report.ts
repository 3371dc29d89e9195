import type { ObjectKind } from '../seal/index.ts';

export type DamagedKind = ObjectKind | 'config' | 'slot' | 'chunk' | 'node';

/** One thing that is not as it should be. */
export interface Damage {
  readonly kind: DamagedKind;
  /** The object's name in the store; for a chunk or node that no object can be blamed for, its id. */
  readonly object: string;
  /** What was found. */
  readonly state: string;
  /** Chunks of the object that were found bad; 0 where that is not known or not the question. */
  readonly chunks: number;
  /** The medium fails to read it: it may be whole. */
  readonly mayBeWhole?: boolean;
  /** A member of the store sealed it who may not say such a thing. */
  readonly isUntrusted?: boolean;
  /** A part of the index of which a whole later one says all that it said: nothing is lost with it. */
  readonly isReplaced?: boolean;
}

/** What is said of damage. */
interface Finding {
  readonly state: string;
  readonly chunks?: number;
  readonly mayBeWhole?: boolean;
  readonly isUntrusted?: boolean;
  readonly isReplaced?: boolean;
}

/** Past it damage is counted, not listed: a store whose packs are all gone must not fill the memory. */
const listedMax = 10_000;

/** Gathers damage, one entry an object. */
export class DamageReport {
  readonly #byObject = new Map<string, { -readonly [Key in keyof Damage]: Damage[Key] }>();
  #unlisted = 0;

  get list(): readonly Damage[] {
    return [...this.#byObject.values()];
  }

  /** Objects that are damaged and not listed. */
  get unlisted(): number {
    return this.#unlisted;
  }

  has(object: string): boolean {
    return this.#byObject.has(object);
  }

  /** The first state that is found of an object stays; chunks add up. */
  add(
    kind: DamagedKind,
    object: string,
    { state, chunks = 0, mayBeWhole, isUntrusted, isReplaced }: Finding,
  ): void {
    const known = this.#byObject.get(object);
    if (known !== undefined) known.chunks += chunks;
    else if (this.#byObject.size < listedMax)
      this.#byObject.set(object, {
        ...{ kind, object, state, chunks },
        ...(mayBeWhole && { mayBeWhole }),
        ...(isUntrusted && { isUntrusted }),
        ...(isReplaced && { isReplaced }),
      });
    else this.#unlisted += 1;
  }
}
