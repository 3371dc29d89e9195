import { SingleBar } from 'cli-progress';
import type { OnProgress, Progress } from '../../engine/index.ts';
import type { Clock } from '../../store/index.ts';
import { count, duration, size } from './quantities.ts';

/** A live line on a terminal; plain lines at a fixed rate where STILLPOINT_PROGRESS_FPS asks for them; else nothing. */
export interface ProgressView {
  readonly onProgress: OnProgress;
  /** Ends the line for a message; it comes back with the next step. */
  clear(): void;
  stop(): void;
}

export interface ProgressViewOptions {
  readonly stream: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly clock: Clock;
  readonly framesPerSecond: number | undefined;
  readonly enabled: boolean;
}

const liveFramesPerSecond = 10;
const silent: ProgressView = { onProgress: () => {}, clear: () => {}, stop: () => {} };

export function progressView({ stream, clock, framesPerSecond, enabled }: ProgressViewOptions): ProgressView {
  const isLive = stream.isTTY === true;
  if (!enabled || (!isLive && framesPerSecond === undefined)) return silent;
  const fps = framesPerSecond ?? liveFramesPerSecond;

  let phase: Progress['phase'] | undefined;
  let phaseStartedMs = 0;
  let bar: SingleBar | undefined;
  const stop = () => {
    bar?.stop();
    bar = undefined;
  };
  return {
    onProgress(progress) {
      const nowMs = clock.monotonicMs();
      if (progress.phase !== phase) [phase, phaseStartedMs] = [progress.phase, nowMs];
      const line = describe(progress, nowMs - phaseStartedMs);
      if (bar) return bar.update(0, { line });
      bar = new SingleBar({
        stream,
        fps,
        noTTYOutput: !isLive,
        notTTYSchedule: 1000 / fps,
        clearOnComplete: true,
        gracefulExit: false, // its own handlers would end the process before the application is unlocked
        format: (_options, _params, payload: { line: string }) => payload.line,
      });
      bar.start(1, 0, { line });
    },
    clear: stop,
    stop,
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
  of(
    progress.steps,
    progress.stepsTotal,
    progress.phase === 'prune-wait' ? 's without a sign of life' : 'done',
  );
  const { bytes, bytesTotal } = progress;
  if (bytes !== undefined) {
    parts.push(bytesTotal === undefined ? size(bytes) : `${size(bytes)} of ${size(bytesTotal)}`);
    if (elapsedMs > 500) {
      const perSecond = (bytes * 1000) / elapsedMs;
      parts.push(`${size(perSecond)}/s`);
      if (bytesTotal !== undefined && perSecond > 0) {
        parts.push(`${duration((Math.max(0, bytesTotal - bytes) * 1000) / perSecond)} left`);
      }
    }
  }
  return [progress.phase.padEnd(16), ...parts].join('  ');
}
