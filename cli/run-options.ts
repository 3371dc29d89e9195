import type { BackupSeams, DoctorSeams } from '../engine/index.ts';
import type { Kdf, Seams } from '../store/index.ts';
import type { Terminal } from './settings/terminal.ts';

/** The world that one run of the program sees. */
export interface RunOptions {
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** Clock and randomness; default: the machine's. */
  readonly seams?: Seams;
  /** Faults that a test puts into a backup. */
  readonly backupSeams?: BackupSeams;
  /** Who answers in a test; default: whoever sits at the terminal, if there is one. */
  readonly terminal?: Terminal;
  /** What a new passphrase costs in a test; default: what it should. */
  readonly kdf?: Kdf;
  /** What a test says that the machine is. */
  readonly doctorSeams?: DoctorSeams;
}
