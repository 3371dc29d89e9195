import type { Phase } from '../../engine/index.ts';
import { phases } from '../../engine/index.ts';
import type { Fault, Misbehaviour, Route } from '../instance/index.ts';
import type { Running } from '../rig/index.ts';
import type { Direction } from './database-proxy.ts';
import type { Lane } from './lane.ts';

/** Where a run is kept: at the start of a phase, at a call, or at a statement after the drain. */
export type Place =
  | { readonly kind: 'phase'; readonly phase: Phase }
  | { readonly kind: 'call'; readonly route: Route; readonly index: number; readonly direction: Direction }
  | { readonly kind: 'statement'; readonly index: number; readonly direction: Direction };

/** A run that is kept at a place. */
export interface Kept {
  readonly program: Running;
  letGo(): Promise<void>;
}

/** The calls of a run without other load, in order; `index` tells those of one route apart. */
const calls: readonly (readonly [route: Route, index: number])[] = [
  ['status', 0],
  ['properties', 0],
  ['properties', 1],
  ['lock', 0],
  ['backup', 0],
  ['status', 1],
  ['status', 2],
  ['progress', 0],
  ['unlock', 0],
];
/** Of the pin, its two readers, and the fence's question to each of the three. */
const statementsInWindow = 6;
const directions = ['sent', 'answered'] as const;

export function everyPlace(): Place[] {
  return [
    ...phases.map(phase => ({ kind: 'phase', phase }) as const),
    ...calls.flatMap(([route, index]) =>
      directions.map(direction => ({ kind: 'call', route, index, direction }) as const),
    ),
    ...Array.from({ length: statementsInWindow }, (_, index) =>
      directions.map(direction => ({ kind: 'statement', index, direction }) as const),
    ).flat(),
  ];
}

export function describePlace(place: Place): string {
  switch (place.kind) {
    case 'phase':
      return `phase ${place.phase}`;
    case 'call':
      return `call ${place.route} ${place.index + 1} ${place.direction}`;
    case 'statement':
      return `statement ${place.index + 1} ${place.direction}`;
    default:
      return place satisfies never;
  }
}

/** The calls and statements of a run in which nothing happens; a place that it has not is a mistake of the list. */
export async function checkPlaces(lane: Lane): Promise<void> {
  const before = (await lane.standIn.seen()).calls.length;
  const program = lane.backUp({ STOP_AT: 'capture' });
  await program.hasSaid('stopped at capture');
  lane.proxy.watch();
  program.tell('go on');
  const { code, stderr } = await program.ended;
  if (code !== 0) throw new Error(`a run in which nothing happens ended with ${code}: ${stderr}`);
  const seen = (await lane.standIn.seen()).calls.slice(before).map(({ route }) => route);
  const listed = calls.map(([route]) => route).filter(route => route !== 'properties');
  if (seen.join() !== listed.join()) throw new Error(`a run makes the calls ${seen}, not ${listed}`);
  const pins = lane.proxy.stop().slice(0, statementsInWindow + 1);
  const isPin = pins.map(text => /^BEGIN|pg_backend_pid/.test(text));
  if (isPin.lastIndexOf(true) !== statementsInWindow - 1 || isPin.indexOf(false) !== statementsInWindow)
    throw new Error(`the statements of the window are others than listed: ${pins.join(' | ')}`);
}

/** Begins a backup and keeps it at a place, where the call that is kept there is answered by `spoil` when it is let go. */
export async function keepAt(lane: Lane, place: Place, spoil: Misbehaviour | undefined): Promise<Kept> {
  switch (place.kind) {
    case 'phase': {
      const program = lane.backUp({ STOP_AT: place.phase });
      await program.hasSaid(`stopped at ${place.phase}`);
      return { program, letGo: async () => program.tell('go on') };
    }
    case 'call': {
      const { route, index: skip } = place;
      const which = { route, skip, times: 1, effect: place.direction === 'answered' };
      const faults: Fault[] = [{ ...which, misbehave: { kind: 'hold' } }];
      if (spoil) faults.push({ ...which, misbehave: spoil });
      await lane.standIn.add(...faults);
      const program = lane.backUp();
      await orEnd(program, async () => (await lane.standIn.now()).kept > 0);
      return { program, letGo: () => lane.standIn.goOn() };
    }
    case 'statement': {
      const program = lane.backUp({ STOP_AT: 'capture' });
      await program.hasSaid('stopped at capture');
      let isKept = false;
      void lane.proxy.watch(place).then(() => {
        isKept = true;
      });
      program.tell('go on');
      await orEnd(program, async () => isKept);
      return { program, letGo: async () => void lane.proxy.stop() };
    }
    default:
      return place satisfies never;
  }
}

async function orEnd(program: Running, isSo: () => Promise<boolean>): Promise<void> {
  let ended: string | undefined;
  void program.ended.then(({ stderr }) => {
    ended = stderr;
  });
  while (!(await isSo())) {
    if (ended !== undefined) throw new Error(`the run ended before it came to its place: ${ended}`);
    await new Promise(resolve => setTimeout(resolve, 3));
  }
}
