import type { Happening, Party } from './stage.ts';

interface Open {
  readonly party: Party;
}

/**
 * Counts what a schedule is for: a sweep that takes something while the intent of a living run is there. Sweeps that
 * writers create are vetoes; one that dies is no living run any more.
 */
export class Overlaps {
  readonly #intents = new Map<string, Open>();
  readonly #openSweeps = new Set<number>();
  readonly #sweeps = new Set<number>();
  readonly #besideIntent = new Set<number>();
  readonly #overlapped = new Set<number>();
  readonly #readers = new Set<string>();
  #vetoes = 0;

  see({ party, operation, name }: Happening): void {
    if (name.startsWith('intents/')) {
      if (operation === 'delete') this.#intents.delete(name);
      else {
        this.#intents.set(name, { party });
        for (const number of this.#openSweeps) this.#overlapped.add(number);
      }
    }
    if (operation === 'put' && name.startsWith('sessions/') && party.role === 'reader')
      this.#readers.add(name);
    const [, number, part] = /^gc\/(\d+)\.(sweep|done)$/.exec(operation === 'put' ? name : '') ?? [];
    if (part === 'done') this.#openSweeps.delete(Number(number));
    if (part !== 'sweep') return;
    if (party.role === 'writer') {
      this.#vetoes += 1;
      return;
    }
    this.#sweeps.add(Number(number));
    this.#openSweeps.add(Number(number));
    if (![...this.#intents.values()].some(({ party: { isDead } }) => !isDead)) return;
    this.#besideIntent.add(Number(number));
    this.#overlapped.add(Number(number));
  }

  isReader(session: string): boolean {
    return this.#readers.has(session);
  }

  async count(took: (sweep: number) => Promise<boolean>): Promise<{
    readonly sweeps: number;
    readonly sweptBesideIntent: boolean;
    readonly overlapped: boolean;
    readonly vetoes: number;
  }> {
    const taking = new Set<number>();
    for (const number of this.#sweeps) if (await took(number)) taking.add(number);
    const isTaking = (number: number) => taking.has(number);
    return {
      sweeps: taking.size,
      sweptBesideIntent: [...this.#besideIntent].some(isTaking),
      overlapped: [...this.#overlapped].some(isTaking),
      vetoes: this.#vetoes,
    };
  }
}
