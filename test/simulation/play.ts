import { Worker } from 'node:worker_threads';
import { emptyTally, joined, type Tally } from './tally.ts';

export type { Tally } from './tally.ts';

/** Schedules by their seeds. */
export interface Piece {
  readonly firstSeed: number;
  readonly schedules: number;
}

export interface Orders extends Piece {
  /** By its name; without one the program as it is. */
  readonly mutant?: string | undefined;
  /** A thread ends with the first schedule in it that loses a snapshot: where there is one, the first by its seed. */
  readonly isUntilLoss?: boolean;
  /** Each plays one piece after the other, and lives until there is none left. */
  readonly threads?: number;
  /** Left out. */
  readonly isDone?: (piece: Piece) => boolean;
}

/** What a thread is told. */
export interface ThreadOrders extends Pick<Orders, 'mutant' | 'isUntilLoss'> {
  readonly pieces: readonly Piece[];
  /** How many pieces were taken, by whichever thread. */
  readonly taken: Int32Array;
}

/** What a thread tells of each piece. */
export interface PlayedPiece {
  readonly piece: Piece;
  readonly tally: Tally;
}

/** What is played at a stretch: begins at a multiple of this, so that every run divides seeds in the same way. */
const pieceSchedules = 100;

/**
 * Plays schedules in threads of their own: a mutant stays there, and the test runner's accounts of promises, which would
 * double the time, end at it. A failure ends nothing.
 */
export async function play(
  { threads = 1, isDone = () => false, ...orders }: Orders,
  onPiece?: (played: PlayedPiece) => void,
): Promise<Tally> {
  const pieces = piecesOf(orders).filter(piece => !isDone(piece));
  const taken = new Int32Array(new SharedArrayBuffer(4));
  const { mutant, isUntilLoss } = orders;
  const played: PlayedPiece[] = [];
  const inThread = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const workerData: ThreadOrders = { mutant, isUntilLoss: isUntilLoss === true, pieces, taken };
      const worker = new Worker(new URL('./worker-main.js', import.meta.url), {
        workerData,
        // Most of what a schedule makes is gone after it: a small space for it would be cleared several times meanwhile.
        resourceLimits: { maxYoungGenerationSizeMb: 64 },
      });
      worker.on('message', (message: PlayedPiece) => {
        played.push(message);
        onPiece?.(message);
      });
      worker.on('error', reject);
      worker.on('exit', code =>
        code === 0 ? resolve() : reject(new Error(`Cannot play schedules: their thread ended with ${code}`)),
      );
    });
  await Promise.all(Array.from({ length: Math.min(threads, pieces.length) }, inThread));
  played.sort((a, b) => a.piece.firstSeed - b.piece.firstSeed);
  return played.reduce((all, { tally }) => joined(all, tally), emptyTally());
}

function piecesOf({ firstSeed, schedules }: Piece): Piece[] {
  const pieces: Piece[] = [];
  const end = firstSeed + schedules;
  for (let seed = firstSeed; seed < end; ) {
    const next = Math.min(end, (Math.floor(seed / pieceSchedules) + 1) * pieceSchedules);
    pieces.push({ firstSeed: seed, schedules: next - seed });
    seed = next;
  }
  return pieces;
}
