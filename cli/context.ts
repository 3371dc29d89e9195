import type { BackupSeams, DoctorSeams } from '../engine/index.ts';
import type { Kdf, Seams } from '../store/index.ts';
import type { LoadedConfig } from './config/load.ts';
import type { Output } from './render/output.ts';
import type { ProgressView } from './render/progress.ts';
import type { Terminal } from './settings/terminal.ts';

/** What every command gets: the world, the person's wishes, and where to speak. */
export interface Context {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly seams: Seams;
  readonly signal: AbortSignal;
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP that comes from now on, whatever came before. */
  nextSignal(): AbortSignal;
  readonly output: Output;
  readonly progress: ProgressView;
  readonly version: string;
  /** Where somebody can be asked; undefined where nobody is there. */
  readonly terminal: Terminal | undefined;
  /** How new passphrases become keys, where a test says so. */
  readonly kdf: Kdf | undefined;
  /** --store, as it was given. */
  readonly storeOption: string | undefined;
  /** Faults that a test puts into a backup; nothing in a real run. */
  readonly backupSeams: BackupSeams | undefined;
  /** What a test says that the machine is; nothing in a real run. */
  readonly doctorSeams: DoctorSeams | undefined;
  /** The configuration, if there is one. CONFIG_INVALID. */
  config(): LoadedConfig | undefined;
  /** The configuration; CONFIG_INVALID when there is none. */
  requireConfig(): LoadedConfig;
}

/** Ends a command: nothing means done. */
export type Command<Options> = (context: Context, options: Options) => Promise<number | undefined>;
