/** Lets so many jobs be under way and no more. */
export class InTurn {
  readonly #underWay = new Set<Promise<void>>();
  readonly #max: number;
  #failure: { readonly error: unknown } | undefined;

  constructor(max: number) {
    this.#max = max;
  }

  /** Resolves when the next may come. Throws what one before failed with. */
  async begin(job: () => Promise<void>): Promise<void> {
    const doing = job()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#underWay.delete(doing));
    this.#underWay.add(doing);
    while (this.#underWay.size >= this.#max) await Promise.race(this.#underWay);
    if (this.#failure) throw this.#failure.error;
  }

  /** Resolves when all are done. */
  async end(): Promise<void> {
    await Promise.all(this.#underWay);
    if (this.#failure) throw this.#failure.error;
  }
}
