import type { Configuration } from './rules.ts';

const usual = {
  packs: [0b11],
  snapshots: [0b11, 0b01],
  writers: [{ needs: 0b11 }],
  readers: [],
  pruners: 1,
  generationsMax: 1,
  forgettable: 0b01,
  lostAnswers: false,
  tornLists: false,
  crashes: true,
} as const satisfies Omit<Configuration, 'name'>;

function world(name: string, parts: Partial<Configuration> = {}): Configuration {
  return { ...usual, name, ...parts };
}

const apart = { packs: [0b01, 0b10], snapshots: [0b10, 0b01] };

/** Small worlds, each with what one part of the protocol is about. */
export const worlds = {
  // A pack of two chunks: one snapshot needs both and may be forgotten, one needs the first and stays.
  one: world('a writer, a pruner'),
  again: world('a writer, a pruner, two generations', { generationsMax: 2 }),
  apart: world('packs of one chunk, one part of the index', {
    ...apart,
    writers: [{ needs: 0b10 }],
    generationsMax: 2,
  }),
  parent: world('a parent taken over', { writers: [{ needs: 0b11, parent: 0 }] }),
  torn: world('lists that are no instant', { tornLists: true }),
  lost: world('answers that are lost', { writers: [{ needs: 0b10 }], forgettable: 0b101, lostAnswers: true }),
  reader: world('a reader', { writers: [], readers: [0], generationsMax: 2 }),
  less: world('a prune that leaves things', {
    packs: [0b011, 0b100],
    snapshots: [0b111, 0b001],
    writers: [{ needs: 0b100 }],
    leaves: true,
  }),
  damaged: world('a generation that nobody can read', { writers: [{ needs: 0b10 }], damages: true }),
  unlisted: world('a pack that no part lists', {
    packs: [0b01, 0b11, 0b01],
    parts: [{ rows: 0b011, replaces: 0 }],
    snapshots: [0b01],
    forgettable: 0,
    writers: [],
  }),
  merged: world('an index part that was replaced', {
    ...apart,
    parts: [
      { rows: 0b11, replaces: 0 },
      { rows: 0b11, replaces: 0b01 },
    ],
    writers: [],
    generationsMax: 2,
  }),
  merging: world('index parts merged and deleted', {
    ...apart,
    snapshots: [0b10, 0b01],
    writers: [],
    generationsMax: 3,
  }),
} as const;

/** Worlds for a long look. */
export const largeWorlds = [
  world('two writers, a pruner', { writers: [{ needs: 0b11 }, { needs: 0b11 }] }),
  world('two writers that need different chunks, a parent', {
    writers: [{ needs: 0b10 }, { needs: 0b11, parent: 0 }],
  }),
  world('a writer, two pruners, two generations', { pruners: 2, generationsMax: 2 }),
  world('a writer, a reader, a pruner, two generations, torn lists', {
    readers: [0],
    generationsMax: 2,
    tornLists: true,
  }),
  world('a writer whose answers are lost, a reader, two pruners', {
    forgettable: 0b101,
    lostAnswers: true,
    pruners: 2,
    readers: [0],
  }),
  world('three chunks in two packs, a writer, a pruner, three generations', {
    packs: [0b011, 0b110],
    snapshots: [0b111, 0b100],
    writers: [{ needs: 0b101, parent: 1 }],
    forgettable: 0b011,
    generationsMax: 3,
  }),
] as const;
