import { StillpointError } from '../../store/index.ts';
import type { ApplicationFacts, LockableApplication } from '../app/index.ts';
import { type LatchOptions, patienceOf } from './options.ts';
import { lockedWithoutToken } from './outcome.ts';
import { hasIntention, type LatchRecord, removeRecord } from './record.ts';
import { startSentinel } from './sentinel.ts';
import type { Sentinel } from './sentinel-link.ts';

type Options = LatchOptions & { readonly app: LockableApplication };

/** Also opens the connection that the calls after the lock take. */
export async function describe(options: Options): Promise<ApplicationFacts> {
  const { app, signal } = options;
  try {
    return await app.describe(signal ? { signal } : {});
  } catch (error) {
    const isLocked = error instanceof StillpointError && error.code === 'APP_LOCKED';
    throw isLocked && (await hasIntention(options)) ? lockedWithoutToken(app, error) : error;
  }
}

/** Everything that must be there before the lock call. Nothing is locked when it fails. */
export async function prepare(intent: {
  readonly options: Options;
  readonly record: LatchRecord;
  readonly file: string;
}): Promise<Sentinel> {
  const { options, record, file } = intent;
  const patience = patienceOf(options);
  let sentinel: Sentinel | undefined;
  try {
    sentinel = await (options.startSentinel ?? startSentinel)(
      {
        type: 'arm',
        access: options.app.access,
        file,
        record,
        maxHoldMs: options.maxHoldMs,
        lockPatienceMs: patience.lockMs,
        unlockPatienceMs: patience.sentinelMs,
      },
      { clock: options.clock },
    );
    await options.onPhase?.('lock');
    options.signal?.throwIfAborted();
    sentinel.lost.throwIfAborted();
    return sentinel;
  } catch (error) {
    await sentinel?.release();
    await removeRecord(file);
    throw error;
  }
}
