import type { OnProgress, Progress } from '../../engine/index.ts';
import type { Clock } from '../../store/index.ts';
import { count, duration, size } from './quantities.ts';

/** A live line on a terminal; plain lines at a fixed rate where STILLPOINT_PROGRESS_FPS asks for them; else nothing. */
export interface ProgressView {
  readonly onProgress: OnProgress;
  /** Steps aside for a message; the line comes back with the next step. */
  clear(): void;
  stop(): void;
}

export interface ProgressViewOptions {
  readonly stream: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly clock: Clock;
  readonly framesPerSecond: number | undefined;
  readonly enabled: boolean;
}

export function progressView(options: ProgressViewOptions): ProgressView {
  const { stream, clock } = options;
  const live = options.enabled && stream.isTTY === true;
  const rate = options.framesPerSecond ?? (live ? 10 : 0);
  if (!options.enabled || rate <= 0) return { onProgress: () => {}, clear: () => {}, stop: () => {} };

  let phase = '';
  let phaseStartedMs = 0;
  let shownMs = Number.NEGATIVE_INFINITY;
  let shown = false;
  const clear = () => {
    if (live && shown) stream.write('\r\x1b[2K');
    shown = false;
  };
  return {
    onProgress(progress) {
      const nowMs = clock.monotonicMs();
      if (progress.phase !== phase)
        [phase, phaseStartedMs, shownMs] = [progress.phase, nowMs, Number.NEGATIVE_INFINITY];
      if (nowMs - shownMs < 1000 / rate) return;
      shownMs = nowMs;
      const line = describe(progress, nowMs - phaseStartedMs);
      if (live) {
        clear();
        stream.write(line.slice(0, (stream.columns ?? 100) - 1));
        shown = true;
      } else {
        stream.write(`${line}\n`);
      }
    },
    clear,
    stop: clear,
  };
}

function describe(progress: Progress, elapsedMs: number): string {
  const parts: string[] = [];
  const of = (done: number | undefined, total: number | undefined, unit: string) => {
    if (done !== undefined)
      parts.push(`${count(done)}${total === undefined ? '' : ` of ${count(total)}`} ${unit}`);
  };
  of(progress.files, progress.filesTotal, 'files');
  of(progress.rows, progress.rowsTotal, 'rows');
  const { bytes, bytesTotal } = progress;
  if (bytes !== undefined) {
    parts.push(bytesTotal === undefined ? size(bytes) : `${size(bytes)} of ${size(bytesTotal)}`);
    if (elapsedMs > 500) {
      const perSecond = (bytes * 1000) / elapsedMs;
      parts.push(`${size(perSecond)}/s`);
      if (bytesTotal !== undefined && perSecond > 0) {
        parts.push(`${duration(((bytesTotal - bytes) * 1000) / perSecond)} left`);
      }
    }
  }
  return [`${progress.phase}`.padEnd(16), ...parts].join('  ');
}
