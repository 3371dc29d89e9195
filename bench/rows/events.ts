import type { Dice } from '../instance/random.ts';
import { fuzzTables } from './tables.ts';

/** When in a backup an event may happen: before it, while it prepares, between pin and unlock's other side. */
export type Phase = 'before' | 'between' | 'after';

/** Changes of rows; the sessions other than 0 keep a transaction open around them. */
const rowKinds = {
  insert: 10,
  update: 10,
  'update at random': 8,
  delete: 6,
  'delete at random': 4,
  'delete the tail': 2,
  touch: 6,
  'lock rows': 4,
  'roll back': 5,
  savepoints: 8,
  'many subtransactions': 3,
  'copy in': 4,
} as const;

const transactionKinds = {
  commit: 9,
  'roll back all': 4,
  'prepare transaction': 3,
  'commit prepared': 3,
  'roll back prepared': 2,
} as const;

const maintenanceKinds = {
  vacuum: 6,
  'vacuum freeze': 4,
  'vacuum full': 2,
  cluster: 2,
  analyze: 1,
  checkpoint: 2,
  'use up ids': 2,
  'large object': 4,
  'next values': 3,
} as const;

/** What TRUNCATE and ALTER do also after the pin: they then wait for the backup's locks. */
const definitionKinds = {
  truncate: 1,
  'copy freeze': 1,
  'add column': 2,
  'drop column': 2,
  'change type': 1,
  'change type, no rewrite': 1,
  'replace column': 2,
  'set logged': 1,
  'detach or attach': 2,
  'rename table': 1,
  'create table': 1,
  'drop table': 1,
} as const;

/** Definitions that no table lock protects: after the pin they may make finish refuse. */
const typeKinds = {
  'rename label': 1,
  'add attribute': 1,
  'rename function': 1,
  'rename role': 1,
  'change settings': 1,
} as const;

/** The server goes, so no backup may be under way. */
const endingKinds = {
  restart: 1,
  crash: 1,
  'stop at once': 1,
  'kill a backend': 2,
  'keep the data': 1,
  'set the data back': 1,
} as const;

const weights = {
  ...rowKinds,
  ...transactionKinds,
  ...maintenanceKinds,
  ...definitionKinds,
  ...typeKinds,
  ...endingKinds,
  'commits asynchronous': 3,
};
export type EventKind = keyof typeof weights;
export const eventKinds = Object.keys(weights) as readonly EventKind[];

export function isRowKind(kind: EventKind): kind is keyof typeof rowKinds {
  return kind in rowKinds;
}
/** Takes no lock that a reader waits for. */
export function isHarmless({ kind }: FuzzEvent): boolean {
  return isRowKind(kind) || kind in transactionKinds;
}
export function changesDefinitions({ kind }: FuzzEvent): boolean {
  return kind in definitionKinds || kind in typeKinds;
}
export function isDefinitionKind(kind: EventKind): kind is keyof typeof definitionKinds {
  return kind in definitionKinds;
}

/** Everything that it depends on was drawn beforehand: it does the same whatever other events are left out. */
export interface FuzzEvent {
  /** Its number in the plan; also the tag of its values. */
  readonly id: number;
  readonly kind: EventKind;
  readonly table: string;
  /** 0 commits at once; the others keep their transactions open. */
  readonly session: number;
  readonly a: number;
  readonly b: number;
}

/** One backup and what happens around it. */
export interface Round {
  readonly number: number;
  readonly events: Readonly<Record<Phase, readonly FuzzEvent[]>>;
  readonly precopy: 'none' | 'new' | 'all';
  /** What it builds on: the newest backup, one before it, or nothing. */
  readonly base: 'newest' | 'older' | 'none';
  readonly cache: 'kept' | 'lost' | 'in part' | 'none';
  /** Changes go on while the pre-copy, or finish, reads; else one after the other. */
  readonly beside: { readonly precopy: boolean; readonly finish: boolean };
  /** It is let go after the pin. */
  readonly isAbandoned: boolean;
}

export const openSessions = 2;
/** Their blocks have room for a row's next version: as many rows are then live as before. */
const roomyTables = ['hot', 'sparse', 'parts'];
/** After these a server has lost what it had promised without having written it. */
const losses = ['kill a backend', 'kill a backend', 'crash', 'stop at once'] as const;
/** What a copy that trusts what it knows takes for nothing. */
const traps = [
  ...['cluster', 'cluster', 'cluster', 'cluster', 'replace column', 'change type, no rewrite', 'vacuum full'],
  ...['rename label', 'add attribute', 'rename function', 'rename role', 'change settings'],
  ...['next values', 'delete the tail', 'large object'],
] as readonly EventKind[];
/** Likewise, just after a pin. */
const lateTraps = ['truncate', 'change type', 'next values', 'rename role', 'rename label'] as const;
const acrossEnds = ['commit', 'commit', 'commit', 'roll back all', 'prepare transaction'] as const;

/** The rounds that a seed stands for. */
export function planRounds(dice: Dice, count: number): Round[] {
  let id = 0;
  const draw = (phase: Phase): FuzzEvent => {
    const table = dice.pick(fuzzTables);
    const kind = drawKind(dice, phase);
    const isOfRows = isRowKind(kind);
    const event = {
      ...{ id: id++, kind },
      table: isOfRows ? table.name : dice.pick(table.heaps),
      session: dice.chance(0.6) ? 0 : 1 + dice.below(openSessions),
      a: dice.below(1_000_000),
      b: dice.below(1000),
    };
    // Left alone for the most part: what happens to it as a whole is to be all that happens.
    return isOfRows && event.table === 'even' && event.b % 5 > 0 ? { ...event, table: 'plain' } : event;
  };
  const several = (phase: Phase, max: number): FuzzEvent[] =>
    Array.from({ length: dice.below(max + 1) }, () => draw(phase));
  /** What a transaction changed before one pin and commits before the next, in blocks that nothing else need touch. */
  let across: FuzzEvent | undefined;
  const openAcross = (): FuzzEvent[] => {
    const before = across && { ...across, id: id++, kind: dice.pick(acrossEnds) };
    across = dice.chance(0.6)
      ? {
          ...draw('before'),
          kind: 'update',
          table: dice.pick(roomyTables),
          session: 1 + dice.below(openSessions),
        }
      : undefined;
    return [...(before ? [before] : []), ...(across ? [across] : [])];
  };
  /** What was committed without being written before a pin is lost after it, and its ids are used for something else. */
  let lost: FuzzEvent | undefined;
  const losing = (): { readonly first: FuzzEvent[]; readonly last: FuzzEvent[] } => {
    const first = lost
      ? [
          { ...draw('before'), kind: dice.pick(losses) },
          { ...lost, id: id++ },
        ]
      : [];
    lost = dice.chance(0.1)
      ? { ...draw('before'), kind: 'update', table: dice.pick(roomyTables), session: 0 }
      : undefined;
    const later: FuzzEvent = { ...draw('before'), kind: 'commits asynchronous', b: 1 };
    return { first, last: lost ? [later, lost] : [] };
  };
  const trap = (kinds: readonly EventKind[], share: number): FuzzEvent[] => {
    if (!dice.chance(share)) return [];
    const kind = dice.pick(kinds);
    const { table, ...event } = draw('before');
    const of = fuzzTables.find(one => one.name === table || one.heaps.includes(table))!;
    return [{ ...event, kind, table: isRowKind(kind) ? of.name : table }];
  };
  /** Data that are kept before one backup are put back before the next. */
  let isKept = false;
  const setBack = (): FuzzEvent[] => {
    const kind = isKept ? 'set the data back' : 'keep the data';
    if (!isKept && !dice.chance(0.08)) return [];
    isKept = !isKept;
    return [{ ...draw('before'), kind }];
  };
  return Array.from({ length: count }, (_, number) => {
    const { first, last } = losing();
    const [between, after] = [dice.chance(0.5), dice.chance(0.6)];
    const before = [...setBack(), ...trap(traps, 0.5)];
    const late = trap(lateTraps, 0.25);
    return {
      number,
      events: {
        before: [
          ...first,
          ...several('before', dice.chance(0.1) ? 0 : 5),
          ...before,
          ...openAcross(),
          ...last,
        ],
        between: between && last.length === 0 ? several('between', 4) : [],
        after: last.length > 0 ? [] : [...late, ...(after ? several('after', 3) : [])],
      },
      precopy: dice.pick(['none', 'new', 'new', 'all'] as const),
      base: number === 0 || dice.chance(0.02) ? 'none' : dice.chance(0.1) ? 'older' : 'newest',
      cache: dice.pick(['kept', 'kept', 'kept', 'lost', 'in part', 'none'] as const),
      beside: { precopy: dice.chance(0.5), finish: dice.chance(0.5) },
      isAbandoned: dice.chance(0.04),
    };
  });
}

const manyOfEach = eventKinds.flatMap(kind => new Array<EventKind>(weights[kind]).fill(kind));

function drawKind(dice: Dice, phase: Phase): EventKind {
  for (;;) {
    const kind = dice.pick(manyOfEach);
    // The server may go only where no backup is under way.
    if (phase !== 'before' && kind in endingKinds) continue;
    if (phase === 'before' || !isDefinitionKind(kind) || dice.chance(0.8)) return kind;
  }
}

export function describeEvent(event: FuzzEvent): string {
  const { id, kind, table, session, a, b } = event;
  return `#${id} ${kind} ${table}${session === 0 ? '' : ` in open transaction ${session}`} (${a}, ${b})`;
}
