import type { Extent } from '../../../store/index.ts';
import { hex } from '../../../store/index.ts';
import type { KnownEntries } from './known-entries.ts';
import type { PackLayout } from './pack-index.ts';

/** The next bytes of a pack: stored already, or its own. */
export type Piece =
  | { readonly kind: 'stored'; readonly extent: Extent & { readonly kind: 'chunk' }; readonly length: number }
  | { readonly kind: 'own'; readonly length: number };

/** A range of a new pack, and where the same bytes lie among the old ones. */
interface Run {
  from: number;
  to: number;
  /** undefined: nowhere. */
  old: number | undefined;
}

/** Below this the description of a stored piece is too much beside it. */
const storedBytesMin = 256;
/** A chunk of which less is used is not worth keeping for it. */
const usedShareMin = 0.5;
/** About what a piece takes in a list of extents. */
const pieceBytes = 16;
/** Storing it as it is costs as much, and is simpler to read. */
const worthwhile = 0.75;

/** Gathers ranges of a pack in order, entry by entry. */
export class RunList {
  readonly #runs: Run[] = [];
  readonly #known: KnownEntries;
  readonly #layout: PackLayout;
  #entry = 0;
  #at = 0;

  constructor(layout: PackLayout, known: KnownEntries) {
    this.#layout = layout;
    this.#known = known;
  }

  /** The next entry, as the splitter tells it. */
  add(header: Uint8Array, digest: Uint8Array): void {
    const start = this.#layout.starts[this.#entry]!;
    const end = this.#layout.starts[++this.#entry] ?? this.#layout.end;
    const found = this.#known.find(digest);
    const payload = start + header.length;
    if (found === undefined || found.to - found.from - found.headerBytes !== end - payload) return;
    const isSame = Buffer.compare(found.header, header) === 0;
    this.#push(isSame ? start : payload, end, isSame ? found.from : found.from + found.headerBytes);
  }

  finish(packBytes: number): readonly Run[] {
    this.#own(packBytes);
    return this.#runs;
  }

  #push(from: number, to: number, old: number): void {
    this.#own(from);
    const last = this.#runs.at(-1);
    if (last?.old !== undefined && last.to === from && last.old + (last.to - last.from) === old) last.to = to;
    else this.#runs.push({ from, to, old });
    this.#at = to;
  }

  #own(to: number): void {
    if (to === this.#at) return;
    const last = this.#runs.at(-1);
    if (last && last.old === undefined) last.to = to;
    else this.#runs.push({ from: this.#at, to, old: undefined });
    this.#at = to;
  }
}

/** The extents of old packs, laid end to end. */
export interface OldExtents {
  readonly starts: readonly number[];
  readonly extents: readonly Extent[];
}

/**
 * A pack as pieces that are stored already and pieces of its own; undefined when little of it is. A chunk counts as stored
 * when `isThere` says so and at least half of what the old packs had of it is used.
 */
export function planPieces(
  runs: readonly Run[],
  old: OldExtents,
  isThere: (extent: Extent & { readonly kind: 'chunk' }) => boolean,
): readonly Piece[] | undefined {
  const pieces = runs.flatMap(run => piecesOf(run, old));
  const had = new Map<string, number>();
  for (const extent of old.extents)
    if (extent.kind === 'chunk') {
      const id = hex(extent.id);
      had.set(id, (had.get(id) ?? 0) + extent.length);
    }
  const used = new Map<string, number>();
  for (const piece of pieces)
    if (piece.kind === 'stored') {
      const id = hex(piece.extent.id);
      used.set(id, (used.get(id) ?? 0) + piece.length);
    }
  const usable = new Map<string, boolean>();
  const isUsable = ({ extent }: Piece & { readonly kind: 'stored' }): boolean => {
    const id = hex(extent.id);
    const known = usable.get(id);
    if (known !== undefined) return known;
    const answer = used.get(id)! >= had.get(id)! * usedShareMin && isThere(extent);
    usable.set(id, answer);
    return answer;
  };
  const planned = joined(
    pieces.map(piece =>
      piece.kind === 'own' || isUsable(piece) ? piece : { kind: 'own', length: piece.length },
    ),
  );
  const total = runs.at(-1)?.to ?? 0;
  const own = planned.reduce((sum, piece) => sum + (piece.kind === 'own' ? piece.length : 0), 0);
  return own + planned.length * pieceBytes < total * worthwhile ? planned : undefined;
}

function piecesOf({ from, to, old }: Run, { starts, extents }: OldExtents): Piece[] {
  if (old === undefined || to - from < storedBytesMin) return [{ kind: 'own', length: to - from }];
  const pieces: Piece[] = [];
  const end = old + to - from;
  for (let i = extentAt(starts, old), at = old; at < end; i++) {
    const extent = extents[i]!;
    const stop = Math.min(end, starts[i + 1] ?? end);
    const length = stop - at;
    pieces.push(
      extent.kind === 'chunk'
        ? { kind: 'stored', length, extent: { ...extent, offset: extent.offset + at - starts[i]!, length } }
        : { kind: 'own', length },
    );
    at = stop;
  }
  return pieces;
}

/** The last extent that begins at or before a position. */
function extentAt(starts: readonly number[], position: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= position) low = middle;
    else high = middle - 1;
  }
  return low;
}

function joined(pieces: readonly Piece[]): Piece[] {
  const all: Piece[] = [];
  for (const piece of pieces) {
    const last = all.at(-1);
    if (last?.kind === 'own' && piece.kind === 'own')
      all[all.length - 1] = { kind: 'own', length: last.length + piece.length };
    else all.push(piece);
  }
  return all;
}
