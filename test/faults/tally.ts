/** What one process counted of a figure; it goes through a pipe. */
export interface Counted {
  readonly figure: string;
  readonly points: number;
  readonly wrong: readonly string[];
  /** How the points divide among commands. */
  readonly kinds: Readonly<Record<string, number>>;
  /** What else was counted. */
  readonly notes: Readonly<Record<string, number>>;
  /** What a person should know beside the counts. */
  readonly remark: string;
  /** What could not be tried here, and why. */
  readonly skipped: string | undefined;
  readonly lastSeed: number;
  readonly seconds: number;
}

export interface Progress {
  readonly points: number;
  readonly wrong: number;
}

let soFar: Progress = { points: 0, wrong: 0 };

/** Of all tallies of this process. */
export function progress(): Progress {
  return soFar;
}

/** Counts the points of one figure, and what went wrong at them. */
export class Tally {
  readonly figure: string;
  readonly wrong: string[] = [];
  readonly #kinds: Record<string, number> = {};
  readonly #notes: Record<string, number> = {};
  readonly #startMs = performance.now();
  #points = 0;
  #lastSeed = 0;
  skipped: string | undefined;
  remark = '';

  constructor(figure: string) {
    this.figure = figure;
  }

  get points(): number {
    return this.#points;
  }

  /** One point more; `problem` says what is wrong there, with all that brings it back. */
  add(kind: string, problem?: string | undefined): void {
    this.#points += 1;
    addTo(this.#kinds, kind, 1);
    if (problem !== undefined) this.wrong.push(`${kind}: ${problem}`);
    soFar = { points: soFar.points + 1, wrong: soFar.wrong + (problem === undefined ? 0 : 1) };
  }

  /** Such as "of the runs ended well". */
  note(what: string, count = 1): void {
    addTo(this.#notes, what, count);
  }

  sawSeed(seed: number): void {
    this.#lastSeed = Math.max(this.#lastSeed, seed);
  }

  /** Whether the suite has had what it may spend; many failures are enough, too. */
  isOver({ pointsMax, endMs }: { readonly pointsMax: number; readonly endMs: number }): boolean {
    return this.#points >= pointsMax || performance.now() >= endMs || this.wrong.length >= 20;
  }

  counted(): Counted {
    return {
      figure: this.figure,
      points: this.#points,
      wrong: this.wrong,
      kinds: this.#kinds,
      notes: this.#notes,
      remark: this.remark,
      skipped: this.skipped,
      lastSeed: this.#lastSeed,
      seconds: (performance.now() - this.#startMs) / 1000,
    };
  }
}

/** What processes that shared the seeds counted, beside each other, of one figure. */
export function together(parts: readonly Counted[]): Counted {
  const [first] = parts;
  const kinds: Record<string, number> = {};
  const notes: Record<string, number> = {};
  for (const part of parts) {
    for (const [kind, count] of Object.entries(part.kinds)) addTo(kinds, kind, count);
    for (const [note, count] of Object.entries(part.notes)) addTo(notes, note, count);
  }
  return {
    figure: first!.figure,
    points: parts.reduce((sum, { points }) => sum + points, 0),
    wrong: parts.flatMap(({ wrong }) => wrong),
    kinds,
    notes,
    remark: parts.find(({ remark }) => remark !== '')?.remark ?? '',
    skipped: parts.find(({ skipped }) => skipped !== undefined)?.skipped,
    lastSeed: Math.max(...parts.map(({ lastSeed }) => lastSeed)),
    seconds: Math.max(...parts.map(({ seconds }) => seconds)),
  };
}

/** Such as "612 backup, 401 prune; 13 of the runs ended well". */
export function toldOf({ kinds, notes, remark, skipped }: Counted): string {
  const list = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .map(([what, count]) => `${count} ${what}`)
      .join(', ');
  return [list(kinds), list(notes), remark, skipped && `not here: ${skipped}`].filter(Boolean).join('; ');
}

function addTo(counts: Record<string, number>, what: string, count: number): void {
  counts[what] = (counts[what] ?? 0) + count;
}
