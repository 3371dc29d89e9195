import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../helpers/project.ts';
import type { Piece, PlayedPiece } from './play.ts';

/** A line of the file: a piece that was played, by which code, and how long it took since the one before. */
interface KeptPiece extends PlayedPiece {
  readonly code: string;
  readonly tookMs: number;
}

/** What a schedule depends on. */
const folders = ['chunker', 'store', 'bench/beside', 'test/helpers', 'test/simulation'];

/**
 * Keeps what was played in a file, so that a long run can be ended at any time and goes on where it was, or is made in
 * parts. What other code played does not count.
 */
export class KeptPieces {
  readonly #file: string | undefined;
  readonly #code = digestOfCode();
  readonly #kept = new Map<string, KeptPiece>();

  /** Without a file everything is of this run alone. */
  constructor(file: string | undefined) {
    this.#file = file;
    if (file === undefined || !existsSync(file)) return;
    const text = readFileSync(file, 'utf8');
    if (!text.endsWith('\n')) appendFileSync(file, '\n'); // a run was killed in the middle of a line
    for (const line of text.split('\n')) {
      const kept = pieceOf(line);
      if (kept?.code === this.#code) this.#kept.set(keyOf(kept.piece), kept);
    }
  }

  has(piece: Piece): boolean {
    return this.#kept.has(keyOf(piece));
  }

  add(played: PlayedPiece, tookMs: number): void {
    const kept = { ...played, tookMs, code: this.#code };
    this.#kept.set(keyOf(played.piece), kept);
    if (this.#file !== undefined) appendFileSync(this.#file, `${JSON.stringify(kept)}\n`);
  }

  /** By their seeds; none of them twice: of pieces that overlap one counts. */
  get all(): readonly KeptPiece[] {
    const ascending = [...this.#kept.values()].sort(
      ({ piece: a }, { piece: b }) => a.firstSeed - b.firstSeed || b.schedules - a.schedules,
    );
    let end = 0;
    return ascending.filter(({ piece }) => {
      const isNew = piece.firstSeed >= end;
      if (isNew) end = piece.firstSeed + piece.schedules;
      return isNew;
    });
  }

  /** Such as `1–2000, 5001–6000`. */
  get seeds(): string {
    const ranges: { first: number; end: number }[] = [];
    for (const { piece } of this.all) {
      const end = piece.firstSeed + piece.schedules;
      const last = ranges.at(-1);
      if (last?.end === piece.firstSeed) last.end = end;
      else ranges.push({ first: piece.firstSeed, end });
    }
    return ranges.map(({ first, end }) => `${first}–${end - 1}`).join(', ');
  }
}

function keyOf({ firstSeed, schedules }: Piece): string {
  return `${firstSeed} ${schedules}`;
}

/** Undefined for what is no line of a run. */
function pieceOf(line: string): KeptPiece | undefined {
  try {
    return JSON.parse(line) as KeptPiece;
  } catch {
    return undefined;
  }
}

function digestOfCode(): string {
  const hash = createHash('sha256');
  for (const folder of folders) {
    const root = join(projectRoot, 'dist', folder);
    const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(name =>
      name.endsWith('.js'),
    );
    for (const name of names.sort())
      hash.update(`${folder}/${name}\0`).update(readFileSync(join(root, name)));
  }
  return hash.digest('hex').slice(0, 16);
}
