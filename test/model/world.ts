import type { Configuration } from './rules.ts';

/**
 * A state is bytes: what is on the medium, and what each party is about to do and remembers. Sets of packs, parts, chunks,
 * snapshots and parties are bits of one byte.
 */
export type State = Uint8Array;

export const packsMax = 7;
export const partsMax = 7;

/** What is under gc/. Generations that are done leave their number and what they swept. */
export const gc = { last: 0, open: 1, tombs: 2, oldParts: 3, sweep: 4, sweepParts: 5, swept: 6 } as const;
/** Values of gc.open. */
export const none = 0;
export const undecided = 1;
export const decided = 2;

const packsAt = 7;
/** Which index parts are there; then rows and what it replaces for each. */
export const partsThere = packsAt + packsMax;
const partsAt = partsThere + 1;
export const sessions = partsAt + 2 * partsMax;
export const intents = sessions + 1;
/** Writers that heard that their snapshot exists. */
export const told = intents + 1;
const snapshotsAt = told + 1;

export const writerField = {
  pc: 0,
  seen: 1,
  tombs: 2,
  swept: 3,
  chunks: 4,
  pack: 5,
  parts: 6,
  known: 7,
} as const;
export const prunerField = {
  pc: 0,
  generation: 1,
  intents: 2,
  manifests: 3,
  forgotten: 4,
  live: 5,
  sessions: 6,
  tombs: 7,
  oldParts: 8,
  copies: 9,
  pack: 10,
  rows: 11,
  replaces: 12,
  named: 13,
} as const;
const writerBytes = 8;
const prunerBytes = 14;
export const idle = 0;
export const ended = 63;

/** A snapshot's byte. */
export const committed = 1;
export const aborted = 2;
export const kind = 3;
export const marked = 4;
/** Forgotten by somebody who broke the order: nobody may hold its absence against the protocol. */
export const dropped = 8;
/** It was forgotten, and somebody saw that nobody reads it: the manifest goes, now or much later. */
export const going = 32;

/** Where everything lies for one configuration. */
export interface Layout {
  readonly configuration: Configuration;
  readonly bytes: number;
  readonly snapshotCount: number;
  /** What each snapshot needs; writers' after those of the beginning. */
  readonly needs: readonly number[];
  readonly writers: readonly number[];
  readonly readers: readonly number[];
  /** One more than explore: the last is for whoever puts things in order at the end. */
  readonly pruners: readonly number[];
  /** Bytes that are sets of packs, and of parts. */
  readonly packSets: readonly number[];
  readonly partSets: readonly number[];
  /** Number of the first party that is a pruner, by which its session is known. */
  readonly firstReader: number;
  readonly firstPruner: number;
}

export function layoutOf(configuration: Configuration): Layout {
  const { snapshots, writers, readers, pruners } = configuration;
  const snapshotCount = snapshots.length + writers.length;
  const writersAt = snapshotsAt + snapshotCount;
  const readersAt = writersAt + writers.length * writerBytes;
  const prunersAt = readersAt + readers.length;
  const writerPlaces = writers.map((_, i) => writersAt + i * writerBytes);
  const prunerPlaces = Array.from({ length: pruners + 1 }, (_, i) => prunersAt + i * prunerBytes);
  const rows = Array.from({ length: partsMax }, (_, i) => rowsOf(i));
  const replaces = Array.from({ length: partsMax }, (_, i) => replacesOf(i));
  const w = writerField;
  const p = prunerField;
  return {
    configuration,
    bytes: prunersAt + prunerPlaces.length * prunerBytes,
    snapshotCount,
    needs: [...snapshots, ...writers.map(({ needs }) => needs)],
    writers: writerPlaces,
    readers: readers.map((_, i) => readersAt + i),
    pruners: prunerPlaces,
    packSets: [
      gc.tombs,
      gc.sweep,
      gc.swept,
      ...rows,
      ...writerPlaces.flatMap(at => [at + w.tombs, at + w.swept, at + w.pack, at + w.known]),
      ...prunerPlaces.flatMap(at => [at + p.tombs, at + p.pack, at + p.rows]),
    ],
    partSets: [
      partsThere,
      gc.oldParts,
      gc.sweepParts,
      ...replaces,
      ...writerPlaces.map(at => at + w.parts),
      ...prunerPlaces.flatMap(at => [at + p.oldParts, at + p.replaces]),
    ],
    firstReader: writers.length,
    firstPruner: writers.length + readers.length,
  };
}

export const packOf = (pack: number): number => packsAt + pack;
export const rowsOf = (part: number): number => partsAt + 2 * part;
export const replacesOf = (part: number): number => partsAt + 2 * part + 1;
export const snapshotOf = (snapshot: number): number => snapshotsAt + snapshot;

/** A pack's byte: its chunks, whether it is there, and the party whose session wrote it, from 1. */
export const chunksIn = (pack: number): number => pack & 7;
export const isThere = (pack: number): boolean => (pack & 8) !== 0;
export const ownerIn = (pack: number): number => pack >> 4;
export const packByte = (chunks: number, owner: number): number => chunks | 8 | (owner << 4);

export function firstState({ configuration, bytes }: Layout): State {
  const { packs, snapshots, parts = [{ rows: (1 << packs.length) - 1, replaces: 0 }] } = configuration;
  const state = new Uint8Array(bytes);
  packs.forEach((chunks, i) => {
    state[packOf(i)] = packByte(chunks, 0);
  });
  parts.forEach(({ rows, replaces }, i) => {
    state[rowsOf(i)] = rows;
    state[replacesOf(i)] = replaces;
  });
  state[partsThere] = (1 << parts.length) - 1;
  snapshots.forEach((_, i) => {
    state[snapshotOf(i)] = committed;
  });
  return state;
}

/** Packs that are there. */
export function packsThere(state: State): number {
  let there = 0;
  for (let pack = 0; pack < packsMax; pack++) if (isThere(state[packOf(pack)]!)) there |= 1 << pack;
  return there;
}

/** Packs that the given parts list. */
export function listedIn(state: State, parts: number): number {
  let listed = 0;
  for (let part = 0; part < partsMax; part++) if (parts & (1 << part)) listed |= state[rowsOf(part)]!;
  return listed;
}

/** Chunks that the given packs hold. */
export function chunksOf(state: State, packs: number): number {
  let chunks = 0;
  for (let pack = 0; pack < packsMax; pack++)
    if (packs & (1 << pack)) chunks |= chunksIn(state[packOf(pack)]!);
  return chunks;
}

/** A place for a new pack or part; undefined where the world is full. */
export function freePack(state: State): number | undefined {
  for (let pack = 0; pack < packsMax; pack++) if (state[packOf(pack)] === 0) return pack;
  return undefined;
}

export function putPart(state: State, rows: number, replaces: number): boolean {
  for (let part = 0; part < partsMax; part++) {
    const isFree =
      !(state[partsThere]! & (1 << part)) && state[rowsOf(part)] === 0 && state[replacesOf(part)] === 0;
    if (!isFree) continue;
    state[partsThere]! |= 1 << part;
    state[rowsOf(part)] = rows;
    state[replacesOf(part)] = replaces;
    return true;
  }
  return false;
}
