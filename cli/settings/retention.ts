import { engineError, localTimeZone, type Retention } from '../../engine/index.ts';
import type { ConfigFile } from '../config/schema.ts';
import { parseDuration } from '../config/units.ts';
import type { Context } from '../context.ts';
import { instanceOf } from './backup.ts';

/** The policy as it stands on the command line. */
export interface RetentionFlags {
  readonly keepLast?: string;
  readonly keepHourly?: string;
  readonly keepDaily?: string;
  readonly keepWeekly?: string;
  readonly keepMonthly?: string;
  readonly keepYearly?: string;
  readonly keepWithin?: string;
  readonly keepTag?: readonly string[];
  readonly instance?: string;
}

/** What to prune by. */
export interface RetentionWish {
  readonly retention: Retention | null;
  /** The instance that the policy is for; undefined: for each by itself. */
  readonly instance: string | undefined;
  /** It need not have a snapshot: nobody named it but the configuration. */
  readonly mayBeUnknown: boolean;
}

const counts = [
  ['keepLast', '--keep-last'],
  ['keepHourly', '--keep-hourly'],
  ['keepDaily', '--keep-daily'],
  ['keepWeekly', '--keep-weekly'],
  ['keepMonthly', '--keep-monthly'],
  ['keepYearly', '--keep-yearly'],
] as const;

/**
 * Flags replace the configured retention as a whole; without either nothing is forgotten. A configuration speaks of its
 * own instance: its retention is for no other, and flags beside it are for it unless --instance says otherwise. USAGE.
 */
export function retentionWish(context: Context, flags: RetentionFlags): RetentionWish {
  const values = context.config()?.values;
  const own = values && configuredInstance(values);
  const instance = flags.instance ?? own;
  const mayBeUnknown = flags.instance === undefined;
  const timeZone = values?.retention?.timeZone ?? localTimeZone();
  if (hasFlags(flags)) {
    const policy = {
      ...Object.fromEntries(counts.map(([name, flag]) => [name, countOf(flags[name], flag)])),
      keepWithinMs: withinOf(context, flags.keepWithin, '--keep-within'),
      keepTag: tagsOf(flags.keepTag ?? []),
    };
    return { retention: { policy, timeZone }, instance, mayBeUnknown };
  }
  if (!values?.retention) return { retention: null, instance, mayBeUnknown };
  if (own !== undefined && instance !== own) {
    throw engineError('USAGE', `Cannot prune ${instance}: the configured retention is that of ${own}`, {
      remedy: `Say what to keep of ${instance} with --keep-last, --keep-daily and so on, or use its own configuration.`,
    });
  }
  const { keepWithin, timeZone: _zone, ...policy } = values.retention;
  return {
    retention: { policy: { ...policy, keepWithinMs: withinOf(context, keepWithin, 'keepWithin') }, timeZone },
    instance,
    mayBeUnknown,
  };
}

/** A time that a prune may take, or waits; undefined when nobody said. USAGE. */
export function pruneTimeOf(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0) return ms;
  throw engineError('USAGE', `Cannot prune: ${flag} ${text} is no duration`, {
    remedy: 'Write seconds, minutes or hours, like 90s, 30m or 2h.',
  });
}

function configuredInstance(values: ConfigFile): string | undefined {
  return values.instance || values.home || values.database ? instanceOf(values) : undefined;
}

function hasFlags(flags: RetentionFlags): boolean {
  return (
    counts.some(([name]) => flags[name] !== undefined) ||
    flags.keepWithin !== undefined ||
    (flags.keepTag?.length ?? 0) > 0
  );
}

function countOf(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw engineError('USAGE', `Cannot prune: ${flag} ${text} is no number of snapshots`, {
    remedy: 'Give a whole number, 0 or more.',
  });
}

/** A tag that is empty, as from a variable that was not set, would forget all but the newest. */
function tagsOf(tags: readonly string[]): readonly string[] {
  if (tags.every(tag => tag !== '')) return tags;
  throw engineError('USAGE', 'Cannot prune: --keep-tag is empty', { remedy: 'Give a tag.' });
}

function withinOf(context: Context, text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (!ms) {
    throw engineError('USAGE', `Cannot prune: ${name} ${text} is no duration`, {
      remedy: 'Write hours, days or weeks, like 26h, 7d or 8w.',
    });
  }
  // Whoever comes from a program where 6m are six months must see this before the first prune.
  if (/\dm$/.test(text))
    context.output.warning(`${name} ${text} means minutes; write months as days or weeks`);
  return ms;
}
