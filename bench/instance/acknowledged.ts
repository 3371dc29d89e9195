import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

/** A ref move that was told to its writer as done: ref moved and row committed. */
export interface Acknowledged {
  /** 1, 2, 3 … in the order of acknowledgement. */
  readonly sequence: number;
  readonly repositoryId: number;
  readonly ref: string;
  readonly from: string | null;
  /** null = deleted. */
  readonly to: string | null;
  /** `public.ref_update.id`. */
  readonly rowId: number;
  /** When the gate let it in; the instance's monotonic clock, ms. */
  readonly acceptedMs: number;
  /** When both halves were done; the same clock. */
  readonly acknowledgedMs: number;
  /** The same instant by the wall clock, ms since 1970. */
  readonly acknowledgedWallMs: number;
  /** When the ref had moved, by the wall clock. */
  readonly movedWallMs: number;
}

/** Keeps what was acknowledged, in memory and, where asked, line by line in a file outside the home. */
export class AcknowledgementLog {
  readonly #entries: Acknowledged[] = [];
  readonly #file: number | undefined;

  constructor(path?: string) {
    this.#file = path === undefined ? undefined : openSync(path, 'a', 0o644);
  }

  get entries(): readonly Acknowledged[] {
    return this.#entries;
  }

  add(entry: Omit<Acknowledged, 'sequence'>): Acknowledged {
    const numbered = { sequence: this.#entries.length + 1, ...entry };
    this.#entries.push(numbered);
    if (this.#file !== undefined) writeSync(this.#file, `${JSON.stringify(numbered)}\n`);
    return numbered;
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }
}

/** Reads a file that an instance wrote; a last line that its end cut short is left out. */
export function readAcknowledged(path: string): Acknowledged[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.slice(0, -1).map(line => JSON.parse(line) as Acknowledged);
}
