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
  readonly #owners = new Map<string, Party>();
  /** Names under sessions/. */
  readonly #there = new Set<string>();
  readonly #buried = new Set<Party>();
  readonly #proposers = new Map<number, Party>();
  readonly #vetoed = new Set<number>();
  #roundsAfterVeto = 0;

  see({ party, operation, name }: Happening): void {
    if (name.startsWith('intents/')) {
      if (operation === 'delete') this.#intents.delete(name);
      else {
        this.#intents.set(name, { party });
        for (const number of this.#openSweeps) this.#overlapped.add(number);
      }
    }
    if (name.startsWith('sessions/')) this.#seeSession({ party, operation, name });
    const [, digits, part] = /^gc\/(\d+)(?:\.(sweep|done))?$/.exec(operation === 'put' ? name : '') ?? [];
    const number = Number(digits);
    if (part === 'sweep') this.#seeSweep(number, party);
    else if (part === 'done') this.#openSweeps.delete(number);
    else if (digits !== undefined) {
      const isSame = this.#proposers.get(number - 1) === party;
      this.#roundsAfterVeto += isSame && this.#vetoed.has(number - 1) ? 1 : 0;
      this.#proposers.set(number, party);
    }
  }

  #seeSession({ party, operation, name }: Happening): void {
    const owner = this.#owners.get(name);
    if (operation === 'put') this.#there.add(name);
    else this.#there.delete(name);
    if (operation === 'put') this.#owners.set(name, party);
    else if (owner !== undefined && owner !== party) this.#buried.add(owner);
  }

  #seeSweep(number: number, { role }: Party): void {
    if (role === 'writer') {
      this.#vetoed.add(number);
      return;
    }
    this.#sweeps.add(number);
    this.#openSweeps.add(number);
    if (![...this.#intents.values()].some(({ party: { isDead } }) => !isDead)) return;
    this.#besideIntent.add(number);
    this.#overlapped.add(number);
  }

  /** Whether somebody took it for dead, and removed what it had said. */
  isBuried(party: Party): boolean {
    return this.#buried.has(party);
  }

  /** Whether it has said, where others see it, that it is at work. */
  isHeard(party: Party): boolean {
    return [...this.#there].some(name => !name.includes('.') && this.#owners.get(name) === party);
  }

  async count(took: (sweep: number) => Promise<boolean>): Promise<{
    readonly sweeps: number;
    readonly sweptBesideIntent: boolean;
    readonly overlapped: boolean;
    readonly vetoes: number;
    readonly roundsAfterVeto: number;
  }> {
    const taking = new Set<number>();
    for (const number of this.#sweeps) if (await took(number)) taking.add(number);
    const isTaking = (number: number) => taking.has(number);
    return {
      sweeps: taking.size,
      sweptBesideIntent: [...this.#besideIntent].some(isTaking),
      overlapped: [...this.#overlapped].some(isTaking),
      vetoes: this.#vetoed.size,
      roundsAfterVeto: this.#roundsAfterVeto,
    };
  }
}
