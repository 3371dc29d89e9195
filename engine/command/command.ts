/** When a command of the administrator runs, as it stands in a manifest and in the command's environment. */
export type CommandMoment =
  | 'before-lock'
  | 'lock'
  | 'wait'
  | 'check'
  | 'in-window'
  | 'freeze-take'
  | 'pin'
  | 'dump'
  | 'unpin'
  | 'unlock'
  | 'after-unlock'
  | 'freeze-drop'
  | 'on-failure'
  | 'restore-check'
  | 'restore-database'
  | 'restore';

/** A command of the administrator, for /bin/sh. */
export interface Command {
  readonly run: string;
  /** Past it the command and all that it started are ended, and it has failed. */
  readonly timeoutMs: number;
  /** What its record is called, so that its restore twin can be handed it; null: it has none. */
  readonly name: string | null;
}

/** One command that ran to a good end, for the manifest. */
export interface CommandRecord {
  readonly moment: CommandMoment;
  readonly name: string | null;
  /** As it was configured. */
  readonly run: string;
  readonly durationMs: number;
  /** The last line that it printed on stdout that is not blank, trimmed; empty when there was none. At most 1,000 characters. */
  readonly output: string;
}
