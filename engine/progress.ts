/** The phases of a backup, in order. A run reports the start of each; a test stops or kills it there. */
export const phases = [
  'open',
  'connect',
  'pre-scan',
  'lock',
  'drain',
  'capture',
  'fence',
  'unlock',
  'finish',
  'commit',
] as const;

export type Phase = (typeof phases)[number];

/** How far a phase has come. Absent numbers are unknown, not zero. */
export interface Progress {
  readonly phase:
    | Phase
    | 'restore-home'
    | 'restore-database'
    | 'export-home'
    | 'export-database'
    | 'repair'
    | 'verify-objects'
    | 'verify-packs'
    | 'verify-snapshots'
    | 'verify-data'
    | 'prune-wait'
    | 'prune-mark'
    | 'prune-rewrite'
    | 'prune-delete';
  readonly files?: number;
  readonly filesTotal?: number;
  readonly rows?: number;
  readonly rowsTotal?: number;
  readonly bytes?: number;
  readonly bytesTotal?: number;
  /** Whatever else a phase counts. */
  readonly steps?: number;
  readonly stepsTotal?: number;
}

/** Awaited at the start of each phase: what it throws ends the run there. */
export type OnPhase = (phase: Phase) => void | Promise<void>;

/** Called often and synchronously; must be cheap and must not throw. */
export type OnProgress = (progress: Progress) => void;
