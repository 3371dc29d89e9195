import {
  type CborValue,
  type ChunkRef,
  type Fields,
  fieldsOf,
  fromHex,
  hex,
  type ListingRoot,
  type Manifest,
  type SnapshotId,
  storeError,
} from '../store/index.ts';
import type { CommandMoment, CommandRecord } from './command/index.ts';
import { findKind, kindOf, unknownMarks } from './database/index.ts';
import type { FenceRecord } from './latch/index.ts';
import type { Degraded, InternalFile, Loss, Pair, PairedDatabase, PairedHome, Snapshot } from './pair.ts';

/**
 * Each field of a record has its number for good; a reader passes over numbers that it does not know, so a later
 * version may add fields and never re-uses a number. Durations of the fence, the forecast and of commands are in µs.
 */
const numbers = {
  pair: {
    instance: 1,
    timeMs: 2,
    durationMs: 3,
    tags: 4,
    parent: 5,
    program: 6,
    fence: 7,
    home: 8,
    database: 9,
    configuration: 10,
    warnings: 11,
    commands: 12,
    degraded: 13,
    forecast: 14,
    internal: 15,
  },
  fence: {
    kind: 1,
    application: 2,
    taskId: 3,
    lockRequestedAtMs: 4,
    lockedAtMs: 5,
    drainedAtMs: 6,
    capturedAtMs: 7,
    unlockedAtMs: 8,
    lockMs: 9,
    drainMs: 10,
    captureMs: 11,
    unlockMs: 12,
    heldMs: 13,
  },
  degraded: { of: 1, losses: 2, more: 3 },
  forecast: { captureMs: 1, heldMs: 2 },
  command: { moment: 1, name: 2, run: 3, durationMs: 4, output: 5 },
  application: { type: 1, version: 2, displayName: 3, identity: 4 },
  listing: { root: 1, level: 2, entries: 3 },
  root: { path: 1, listing: 2 },
  home: { roots: 1, files: 2, folders: 3, bytes: 4, changed: 5, changedInLatch: 6, unreadable: 7 },
  database: {
    type: 1,
    listing: 2,
    name: 3,
    tables: 4,
    rows: 5,
    segments: 6,
    changedSegments: 7,
    bytes: 8,
    serverVersion: 9, // 10 to 17 are marks of one kind alone: engine/database/marks.ts
    backupsSinceAudit: 18,
  },
} as const;

/** The record with its fields by number; what is null is left out. */
function numbered<Names extends string>(
  table: Readonly<Record<Names, number>>,
  record: Readonly<Record<Names, CborValue>>,
): CborValue {
  const entries = (Object.entries(table) as [Names, number][]).map(
    ([name, number]) => [number, record[name]] as const,
  );
  return new Map(entries.filter(([, value]) => value !== null));
}

/** The manifest's roots and body for a pair: the body names each listing by its position among the roots. */
export function encodePair(pair: Pair): { roots: ChunkRef[]; body: CborValue } {
  const roots: ChunkRef[] = [];
  const listing = ({ id, level, entries }: ListingRoot): CborValue => {
    roots.push({ id, kind: 'node' });
    return numbered(numbers.listing, { root: roots.length - 1, level, entries });
  };
  const { home, database } = pair;
  const body = numbered(numbers.pair, {
    ...pair,
    tags: [...pair.tags],
    warnings: [...pair.warnings],
    fence: encodeFence(pair.fence),
    forecast: numbered(numbers.forecast, {
      captureMs: us(pair.forecast.captureMs),
      heldMs: us(pair.forecast.heldMs),
    }),
    home:
      home &&
      numbered(numbers.home, {
        ...home,
        roots: home.roots.map(root =>
          numbered(numbers.root, { path: root.path, listing: listing(root.listing) }),
        ),
        unreadable: [...home.unreadable],
      }),
    database: database && encodeDatabase(database, listing(database.listing)),
    commands: pair.commands.length === 0 ? null : pair.commands.map(encodeCommand),
    degraded: pair.degraded ? encodeDegraded(pair.degraded) : null,
    internal: pair.internal?.map(({ path, bytes }) => [path, bytes]) ?? null,
  });
  return { roots, body };
}

const halves: readonly Loss['half'][] = ['home', 'database'];

function encodeDegraded({ of, losses, more }: Degraded): CborValue {
  return numbered(numbers.degraded, {
    of: fromHex(of),
    losses: losses.map(({ half, text }) => [halves.indexOf(half), text]),
    more: more === 0 ? null : more,
  });
}

function decodeDegraded(degraded: Fields, what: string): Degraded {
  const n = numbers.degraded;
  return {
    of: hex(degraded.bytes(n.of, 32)) as SnapshotId,
    losses: degraded.list(n.losses).map(value => {
      const [number, text] = Array.isArray(value) ? (value as readonly CborValue[]) : [];
      const half = typeof number === 'number' ? halves[number] : undefined;
      if (half !== undefined && typeof text === 'string') return { half, text };
      throw storeError('STORE_DAMAGED', `Cannot read ${what}: a loss is malformed`);
    }),
    more: degraded.has(n.more) ? degraded.integer(n.more) : 0,
  };
}

function decodeFile(value: CborValue, what: string): InternalFile {
  const [path, bytes] = Array.isArray(value) ? (value as readonly CborValue[]) : [];
  if (path instanceof Uint8Array && typeof bytes === 'number' && bytes >= 0) return { path, bytes };
  throw storeError('STORE_DAMAGED', `Cannot read ${what}: a file of its database is malformed`);
}

const us = (ms: number) => Math.round(ms * 1000);
const wholeMs = (ms: number | null) => (ms === null ? null : Math.round(ms));

const encodeCommand = (command: CommandRecord): CborValue =>
  numbered(numbers.command, { ...command, durationMs: us(command.durationMs) });

function encodeFence(fence: FenceRecord): CborValue {
  return numbered(numbers.fence, {
    kind: fence.kind,
    application: numbered(numbers.application, { ...fence.application }),
    taskId: fence.taskId,
    lockRequestedAtMs: wholeMs(fence.lockRequestedAtMs),
    lockedAtMs: wholeMs(fence.lockedAtMs),
    drainedAtMs: wholeMs(fence.drainedAtMs),
    capturedAtMs: wholeMs(fence.capturedAtMs),
    unlockedAtMs: wholeMs(fence.unlockedAtMs),
    lockMs: us(fence.lockMs),
    drainMs: us(fence.drainMs),
    captureMs: us(fence.captureMs),
    unlockMs: us(fence.unlockMs),
    heldMs: us(fence.heldMs),
  });
}

/** The snapshot that a manifest describes. STORE_DAMAGED when the body is not what this version writes. */
export function decodePair(
  manifest: Pick<Manifest, 'id' | 'host' | 'sequence' | 'roots' | 'body' | 'isWriteOnly'>,
): Snapshot {
  const what = `manifest ${manifest.id}`;
  const n = numbers.pair;
  const pair = fieldsOf(manifest.body, what);
  const listing = (fields: Fields): ListingRoot => {
    const root = manifest.roots[fields.integer(numbers.listing.root)];
    if (root?.kind !== 'node') {
      throw storeError('STORE_DAMAGED', `Cannot read ${what}: a listing names a root that is not there`);
    }
    const level = fields.integer(numbers.listing.level);
    return { id: root.id, level, entries: fields.integer(numbers.listing.entries) };
  };
  return {
    id: manifest.id,
    host: manifest.host,
    sequence: manifest.sequence,
    ...(manifest.isWriteOnly && { isWriteOnly: true }),
    instance: pair.text(n.instance),
    timeMs: pair.time(n.timeMs),
    durationMs: pair.integer(n.durationMs),
    tags: texts(pair, n.tags),
    parent: pair.has(n.parent) ? pair.text(n.parent) : null,
    program: pair.text(n.program),
    fence: decodeFence(pair.fields(n.fence), what),
    forecast: decodeForecast(pair.fields(n.forecast)),
    home: pair.has(n.home) ? decodeHome(pair.fields(n.home), { what, listing }) : null,
    database: pair.has(n.database) ? decodeDatabase(pair.fields(n.database), listing) : null,
    configuration: pair.text(n.configuration),
    warnings: texts(pair, n.warnings),
    commands: pair.has(n.commands)
      ? pair.list(n.commands).map(item => decodeCommand(fieldsOf(item, `${what}, command`)))
      : [],
    ...(pair.has(n.internal) && { internal: pair.list(n.internal).map(item => decodeFile(item, what)) }),
    ...(pair.has(n.degraded) && { degraded: decodeDegraded(pair.fields(n.degraded), what) }),
  };
}

function texts(fields: Fields, number: number): string[] {
  return fields.list(number).map(value => {
    if (typeof value === 'string') return value;
    throw storeError(
      'STORE_DAMAGED',
      `Cannot read a manifest: field ${number} holds something that is no text`,
    );
  });
}

function decodeFence(fence: Fields, what: string): FenceRecord {
  const n = numbers.fence;
  const kind = fence.text(n.kind);
  if (kind !== 'latched' && kind !== 'command' && kind !== 'stopped' && kind !== 'none') {
    throw storeError('STORE_DAMAGED', `Cannot read ${what}: its fence is of the unknown kind "${kind}"`);
  }
  const application = fence.fields(n.application);
  const time = (number: number) => (fence.has(number) ? fence.time(number) : null);
  const ms = (number: number) => fence.integer(number) / 1000;
  return {
    kind,
    application: {
      type: application.text(numbers.application.type) as FenceRecord['application']['type'], // a later version may know more
      version: application.text(numbers.application.version),
      displayName: application.text(numbers.application.displayName),
      identity: application.text(numbers.application.identity),
    },
    taskId: fence.has(n.taskId) ? fence.text(n.taskId) : null,
    lockRequestedAtMs: time(n.lockRequestedAtMs),
    lockedAtMs: time(n.lockedAtMs),
    drainedAtMs: time(n.drainedAtMs),
    capturedAtMs: time(n.capturedAtMs),
    unlockedAtMs: time(n.unlockedAtMs),
    lockMs: ms(n.lockMs),
    drainMs: ms(n.drainMs),
    captureMs: ms(n.captureMs),
    unlockMs: ms(n.unlockMs),
    heldMs: ms(n.heldMs),
  };
}

function decodeCommand(command: Fields): CommandRecord {
  const n = numbers.command;
  return {
    moment: command.text(n.moment) as CommandMoment, // a later version may know more of them: they are shown, not acted on
    name: command.has(n.name) ? command.text(n.name) : null,
    run: command.text(n.run),
    durationMs: command.integer(n.durationMs) / 1000,
    output: command.text(n.output),
  };
}

function decodeForecast(forecast: Fields): Snapshot['forecast'] {
  const n = numbers.forecast;
  return { captureMs: forecast.integer(n.captureMs) / 1000, heldMs: forecast.integer(n.heldMs) / 1000 };
}

function decodeHome(
  home: Fields,
  context: { readonly what: string; readonly listing: (fields: Fields) => ListingRoot },
): PairedHome {
  const n = numbers.home;
  return {
    roots: home.list(n.roots).map(item => {
      const root = fieldsOf(item, `${context.what}, home root`);
      return {
        path: root.bytes(numbers.root.path),
        listing: context.listing(root.fields(numbers.root.listing)),
      };
    }),
    files: home.integer(n.files),
    folders: home.integer(n.folders),
    bytes: home.integer(n.bytes),
    changed: home.integer(n.changed),
    changedInLatch: home.integer(n.changedInLatch),
    unreadable: texts(home, n.unreadable),
  };
}

function encodeDatabase(database: PairedDatabase, listing: CborValue): CborValue {
  const isUnknown = database.type === 'unknown';
  const { name, tables, rows, segments, changedSegments, bytes, serverVersion } = database;
  const common = numbered(numbers.database, {
    ...{ type: isUnknown ? database.kind : database.type, listing, name },
    ...{ tables, rows, segments, changedSegments, bytes, serverVersion },
    backupsSinceAudit: database.backupsSinceAudit ?? null,
  });
  const marks = isUnknown ? unknownMarks.encode(database) : kindOf(database).marks.encode(database);
  return new Map([...(common as ReadonlyMap<number, CborValue>), ...marks]);
}

function decodeDatabase(database: Fields, listing: (fields: Fields) => ListingRoot): PairedDatabase {
  const n = numbers.database;
  const type = database.text(n.type);
  return {
    listing: listing(database.fields(n.listing)),
    name: database.text(n.name),
    tables: database.integer(n.tables),
    rows: database.integer(n.rows),
    segments: database.integer(n.segments),
    changedSegments: database.integer(n.changedSegments),
    bytes: database.integer(n.bytes),
    serverVersion: database.text(n.serverVersion),
    ...(database.has(n.backupsSinceAudit) && { backupsSinceAudit: database.integer(n.backupsSinceAudit) }),
    ...(findKind(type)?.marks.decode(database) ?? unknownMarks.decode(database, type)),
  };
}
