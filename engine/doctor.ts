import { type Clock, describeNative } from '../store/index.ts';
import { type Application, isLockable, isStopped } from './app/index.ts';
import { findDumpTool } from './database/index.ts';
import { describeHomeSupport } from './home/index.ts';

/** One thing that was looked at. */
export interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'failed';
  /** What was found, a sentence without its full stop. */
  readonly found: string;
  readonly remedy?: string;
}

/** Native parts in use and what their fallbacks cost. Takes about a fifth of a second. */
export async function checkNativeParts(clock: Clock): Promise<Finding[]> {
  const parts = await describeNative({ clock });
  const home = await describeHomeSupport();
  return [
    ...parts.map((part): Finding => {
      const cost = `${part.fallbackCostRatio.toFixed(1)}× the time`;
      return part.isFallback
        ? {
            check: part.part,
            state: 'warning',
            found: `${part.implementation} is in use: about ${cost} of the native part`,
            remedy: 'Install the optional native packages (npm ci with a compiler in reach) for full speed.',
          }
        : { check: part.part, state: 'ok', found: `${part.implementation}; the fallback would take ${cost}` };
    }),
    home.complete
      ? { check: 'file calls', state: 'ok', found: home.implementation }
      : {
          check: 'file calls',
          state: 'warning',
          found: `${home.implementation}; lost: ${home.lost.join('; ')}`,
          remedy: 'Use a platform that koffi has a prebuilt binary for.',
        },
  ];
}

/** Client programs that make a backup better. */
export async function checkTools(): Promise<Finding[]> {
  const tool = await findDumpTool(0);
  return [
    tool
      ? {
          check: 'pg_dump',
          state: 'ok',
          found: `${tool.path} ${tool.version}, for servers up to that version`,
        }
      : {
          check: 'pg_dump',
          state: 'warning',
          found:
            'not found: definitions are read from the catalogs, and object kinds unknown here are refused',
          remedy: 'Install the PostgreSQL client package of the server’s version, or a newer one.',
        },
  ];
}

/** Whether the application answers, and lets its user lock it. Locks nothing. */
export async function checkApplication(app: Application, signal: AbortSignal): Promise<Finding> {
  const check = 'application';
  if (isStopped(app)) {
    return { check, state: 'ok', found: 'must be down for a backup, which proves that it is' };
  }
  if (!isLockable(app)) {
    return {
      check,
      state: 'warning',
      found: 'none is configured: home and database are backed up without a lock between them',
      remedy: 'Configure app.type: bitbucket unless home.freeze makes them agree.',
    };
  }
  try {
    if (app.fence === 'command') {
      await app.checkAccess({ signal });
      return { check, state: 'ok', found: `${app.location} is locked by commands; they were not run` };
    }
    const { displayName, version, identity } = await app.describe({ signal });
    await app.checkAccess({ signal });
    return { check, state: 'ok', found: `${displayName} ${version} at ${identity}; its user may lock it` };
  } catch (error) {
    return failed(check, error);
  }
}

/** A finding from an error that carries its remedy. */
export function failed(check: string, error: unknown): Finding {
  const { message, remedy } = error as { message: string; remedy?: string };
  return { check, state: 'failed', found: message, ...(remedy ? { remedy } : {}) };
}
