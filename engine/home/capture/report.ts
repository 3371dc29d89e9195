import { engineError } from '../../errors.ts';
import { type BytePath, shown } from '../paths.ts';
import { codeOf } from '../system/read.ts';

/** What a run collects for the person who reads its end. */
export interface Report {
  excluded: number;
  readonly sockets: Set<BytePath>;
  readonly gitLeftOvers: Set<BytePath>;
  /** Files that came or went while the application ran: expected. */
  vanishedLive: number;
  readonly unreadable: string[];
  readonly notes: Set<string>;
}

export const makeReport = (): Report => ({
  excluded: 0,
  sockets: new Set(),
  gitLeftOvers: new Set(),
  vanishedLive: 0,
  unreadable: [],
  notes: new Set(),
});

export function noteLeftOut(
  report: Report,
  { path, why }: { path: BytePath; why: 'excluded' | 'socket' | 'git' },
): void {
  if (why === 'excluded') report.excluded++;
  else (why === 'socket' ? report.sockets : report.gitLeftOvers).add(path);
}

export const sentence = (path: BytePath, what: string): string => `${shown(path)}: ${what}`;

export const rootVanished = (root: BytePath): Error =>
  engineError('HOME_UNREADABLE', `Cannot read home ${shown(root)}: it vanished during the run`, {
    remedy: 'Check that its volume is still mounted, and run again.',
  });

export const rootUnreadable = (root: BytePath, error: unknown): Error =>
  engineError('HOME_UNREADABLE', `Cannot read home ${shown(root)}: ${codeOf(error) ?? 'unknown'}`, {
    remedy: 'Run as a user who may read it, best as the one who runs the application, or as root.',
    cause: error,
  });

const namedMax = 10;

/** What a person hears of it at the end. */
export function notesOf({ notes, vanishedLive, sockets, gitLeftOvers }: Report): string[] {
  const all = [...notes];
  if (vanishedLive > 0) all.push(`${vanishedLive} files vanished while the application ran`);
  if (sockets.size > 0) all.push(`${sockets.size} sockets were skipped: ${someOf(sockets)}`);
  if (gitLeftOvers.size > 0)
    all.push(`Skipped what Git left behind (${gitLeftOvers.size}): ${someOf(gitLeftOvers)}`);
  return all;
}

function someOf(paths: ReadonlySet<BytePath>): string {
  const some = [...paths].slice(0, namedMax).map(shown).join(', ');
  return paths.size > namedMax ? `${some} …` : some;
}
