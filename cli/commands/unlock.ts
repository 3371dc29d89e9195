import { readFileSync } from 'node:fs';
import {
  dropLeftViews,
  engineError,
  isLockable,
  type LeftViews,
  releaseLatches,
  type UnresolvedLatch,
} from '../../engine/index.ts';
import type { Command, Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { counted } from '../render/quantities.ts';
import { lockSettings } from '../settings/backup.ts';
import { stateDir } from '../settings/folders.ts';
import { readSecretFile } from '../settings/secrets.ts';

interface UnlockOptions {
  readonly tokenFile?: string;
}

/** Releases the application lock that a dead run left, from its persisted token or from one that a person has. */
export const unlock: Command<UnlockOptions> = async (context, options) => {
  const { app, instance } = lockSettings(context);
  try {
    if (!isLockable(app)) {
      const views = await dropViews(context, instance);
      if (options.tokenFile) {
        throw engineError(
          'CONFIG_INVALID',
          'Cannot unlock: the configuration names no application that can be locked',
          {
            remedy: 'Only app.type bitbucket and command lock: write into the configuration what locked it.',
          },
        );
      }
      context.output.result(
        { messageType: 'summary', unlocked: 0, lapsed: 0, unresolved: [], ...viewsToJson(views) },
        describeViews(views) || 'Nothing to unlock: the configuration names no application that is locked.',
      );
      return views.left.length > 0 ? exitCodes.failed : exitCodes.done;
    }
    const released = releaseLatches({
      stateDir: stateDir(context.env),
      instance,
      app,
      clock: context.seams.clock,
      signal: context.signal,
      ...(options.tokenFile ? { token: readToken(options.tokenFile) } : {}),
    });
    await released.catch(() => undefined); // people wait for the lock; a view waits for its space, whatever became of the lock
    const views = await dropViews(context, instance);
    const { unlocked, lapsed, unresolved } = await released;
    context.output.result(
      {
        messageType: 'summary',
        unlocked,
        lapsed,
        unresolved: unresolved.map(latch => latch.why),
        ...viewsToJson(views),
      },
      [
        describeReleased({ unlocked, lapsed, folder: stateDir(context.env) }),
        ...unresolved.map(describeUnresolved),
        describeViews(views),
      ]
        .filter(line => line !== '')
        .join('\n'),
    );
    if (unlocked === 0 && !(await app.isServing({ signal: context.signal }))) {
      throw engineError(
        'APP_STILL_LOCKED',
        `Cannot unlock ${app.location}: it serves nobody, and not by a lock known here`,
        {
          remedy: `Unlock it with the token of whoever locked it (--token-file), or by hand: ${app.manual.unlock('TOKEN')}; a restart of the application ends the lock too.`,
        },
      );
    }
    if (unresolved.length > 0) return exitCodes.stillLocked;
    return views.left.length > 0 ? exitCodes.failed : exitCodes.done;
  } finally {
    await app.close();
  }
};

/** What cannot be dropped is warned of at once, so that it is told whatever happens next. */
async function dropViews(context: Context, instance: string): Promise<LeftViews> {
  const { clock } = context.seams;
  const views = await dropLeftViews({
    stateDir: stateDir(context.env),
    instance,
    clock,
    signal: context.signal,
  });
  for (const { mount, problem } of views.left)
    context.output.warning(`The view of the home at ${mount} cannot be dropped: ${problem}`);
  return views;
}

const viewsToJson = ({ dropped, left }: LeftViews) => ({
  viewsDropped: dropped,
  viewsLeft: left.map(({ mount }) => mount),
});

const describeViews = ({ dropped }: LeftViews): string =>
  dropped.map(mount => `Dropped the view of the home at ${mount} that a dead run left.`).join('\n');

function readToken(file: string): string {
  const token = file === '-' ? readFileSync(0, 'utf8').trim() : readSecretFile(file, 'the unlock token');
  if (token !== '') return token;
  throw engineError('USAGE', 'Cannot unlock: the token is empty', {
    remedy: 'Give the unlock token as the first line.',
  });
}

function describeReleased({
  unlocked,
  lapsed,
  folder,
}: {
  unlocked: number;
  lapsed: number;
  folder: string;
}): string {
  if (unlocked > 0) return `Unlocked the application: ${counted(unlocked, 'lock')} released.`;
  return lapsed > 0
    ? 'The application was not locked any more.'
    : `No lock of a dead run was found in ${folder}.`;
}

function describeUnresolved({ file, record, why }: UnresolvedLatch): string {
  const { location } = record.application;
  return why === 'elsewhere'
    ? `A lock on ${location} is left, which is not the configured application: run unlock with its configuration (${file}).`
    : `A run died while it locked ${location} and knows no token: if its maintenance page shows, restart the application (${file}).`;
}
