import type { Pair } from '../../engine/pair.ts';
import type { ChunkId } from '../../store/index.ts';

const id = (byte: number) => new Uint8Array(32).fill(byte) as ChunkId;

/** A pair with every field; its golden bytes are in test/golden/engine. */
export const goldenPair: Pair = {
  instance: 'bitbucket',
  timeMs: 1_700_000_000_123,
  durationMs: 2_000,
  tags: ['before-upgrade'],
  parent: null,
  program: '0.1.0',
  fence: {
    kind: 'latched',
    application: {
      type: 'bitbucket',
      version: '8.19.1',
      displayName: 'Bitbucket',
      identity: 'http://127.0.0.1:7990',
    },
    taskId: 'b1',
    lockRequestedAtMs: 1_700_000_000_000,
    lockedAtMs: 1_700_000_000_004,
    drainedAtMs: 1_700_000_000_020,
    capturedAtMs: 1_700_000_000_123,
    unlockedAtMs: 1_700_000_000_130,
    lockMs: 4.25,
    drainMs: 16,
    captureMs: 103.125,
    unlockMs: 7,
    heldMs: 130.375,
  },
  forecast: { captureMs: 90.5, heldMs: 120.25 },
  home: {
    roots: [{ path: new TextEncoder().encode('/srv/home'), listing: { id: id(1), level: 1, entries: 7 } }],
    files: 5,
    folders: 2,
    bytes: 4_096,
    changed: 5,
    changedInLatch: 1,
    unreadable: [],
  },
  database: {
    type: 'postgresql',
    listing: { id: id(2), level: 0, entries: 9 },
    name: 'bitbucket',
    tables: 3,
    rows: 40,
    segments: 3,
    changedSegments: 3,
    bytes: 1_234,
    serverVersion: '18.4',
    systemIdentifier: '7300000000000000001',
    timeline: 1,
    exportedSnapshot: '00000003-0000001B-1',
    lsn: '0/1A2B3C4D',
    xmin: 4_294_967_300n,
    xmax: 4_294_967_302n,
    publishable: true,
  },
  configuration: '{"instance":"bitbucket"}',
  warnings: [],
  commands: [],
};

/** A pair whose database a command dumped. */
export const pairOfCommand: Pair = {
  ...goldenPair,
  database: {
    ...{ type: 'command', output: 'dump', id: 'position-9', when: 'in-window' },
    ...{ listing: { id: id(2), level: 0, entries: 1 }, name: '', serverVersion: '' },
    ...{ tables: 0, rows: 0, segments: 1, changedSegments: 1, bytes: 1_234 },
  },
};

/** A pair whose database lies in the home. */
export const pairOfFiles: Pair = {
  ...goldenPair,
  database: null,
  internal: [{ path: new TextEncoder().encode('shared/data/db.h2.mv.db'), bytes: 4_096 }],
};

/** A pair without halves: for tests of what stands around it. */
export const somePair: Pair = { ...goldenPair, home: null, database: null, tags: [] };
