import {
  type CommandRecord,
  type Degraded,
  databaseTitle,
  type FenceRecord,
  type Forecast,
  type PairedDatabase,
  printableText,
  type Snapshot,
} from '../../engine/index.ts';
import { count, counted, duration, size } from './quantities.ts';

/** The two halves of a pair, a line each. */
export function describeHalves(pair: Pick<Snapshot, 'home' | 'database' | 'internal'>): string[] {
  const { home, database, internal } = pair;
  return [
    home
      ? `home       ${counted(home.files, 'file')}, ${size(home.bytes)}; ${count(home.changedInLatch)} taken again inside the window`
      : 'home       not part of it',
    database
      ? `database   ${databaseText(database)}`
      : internal
        ? `database   in the home: ${counted(internal.length, 'file')}, ${size(internal.reduce((sum, { bytes }) => sum + bytes, 0))}`
        : 'database   not part of it',
  ];
}

function databaseText(database: PairedDatabase): string {
  const title = printableText(databaseTitle(database));
  if (database.type !== 'command')
    return `${counted(database.tables, 'table')}, ${counted(database.rows, 'row')}, ${size(database.bytes)} (${title})`;
  const id = database.id === null ? '' : `, id ${printableText(database.id)}`;
  return `${database.output === 'id' ? 'kept elsewhere' : `a dump of ${size(database.bytes)}`}${id} (${title})`;
}

/** How long the application was held, phase by phase. */
export function describeFence({ fence, forecast }: { fence: FenceRecord; forecast: Forecast }): string[] {
  if (fence.kind === 'none') return ['fence      none: the application was not locked'];
  if (fence.kind === 'stopped') return ['fence      stopped: the application was down throughout'];
  const by = fence.kind === 'command' ? ' by commands' : '';
  const phases = [
    `lock ${duration(fence.lockMs)}`,
    `drain ${duration(fence.drainMs)}`,
    `capture ${duration(fence.captureMs)}`,
    `unlock ${duration(fence.unlockMs)}`,
  ];
  return [
    `held       ${duration(fence.heldMs)}${by}: ${phases.join(', ')}; forecast ${duration(forecast.heldMs)}`,
  ];
}

/** What a snapshot of what is left of another lacks. */
export function describeDegraded({ degraded }: { degraded?: Degraded }): string[] {
  if (degraded === undefined) return [];
  const { of, losses, more } = degraded;
  return [
    `degraded   what a repair found left of ${of}`,
    ...losses.map(({ half, text }) => `lost       ${half}: ${printableText(text)}`),
    ...(more > 0 ? [`lost       and ${more} more`] : []),
  ];
}

const runWidthMax = 60;

/** The commands of the administrator that ran, a line each, with what they printed last. */
export function describeCommands(commands: readonly CommandRecord[]): string[] {
  return commands.map(({ moment, name, run, durationMs, output }) => {
    const said = output === '' ? '' : `: ${printableText(output)}`;
    return `command    ${moment} ${titleOf({ name, run })}, ${duration(durationMs)}${said}`;
  });
}

/** Its name, else the command in one line, cut. */
export function titleOf({ name, run }: Pick<CommandRecord, 'name' | 'run'>): string {
  if (name !== null) return printableText(name);
  const line = run.trim().replace(/\s+/g, ' ');
  return printableText(line.length > runWidthMax ? `${line.slice(0, runWidthMax)}…` : line);
}
