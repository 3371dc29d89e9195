import { z } from 'zod';
import { isTimeZone } from '../../engine/index.ts';
import { parseDuration } from './units.ts';

/** Text like 90s; a number is ms, as a manifest shows it. */
const duration = (fallback: string) =>
  z
    .union([z.string(), z.number().int()])
    .default(fallback)
    .transform((value, context) => {
      const ms = typeof value === 'number' ? value : parseDuration(value);
      if (ms !== undefined && ms >= 1_000) return ms;
      context.addIssue({
        code: 'custom',
        message: `"${value}" is no duration of a second or more, like 90s, 5m, 26h`,
      });
      return z.NEVER;
    });

const text = z.string().min(1);
const count = z.number().int().min(0);

/** A command for /bin/sh, or one with a time-out of its own and a name for its record. */
const command = (timeout: string) =>
  z.union([text.transform(run => ({ run })).pipe(commandObject(timeout)), commandObject(timeout)]);

const commandObject = (timeout: string) =>
  z.strictObject({ run: text, timeout: duration(timeout), name: text.optional() });

const commands = (timeout: string) => z.array(command(timeout)).default([]);

/** Retention is checked here so that a mistake shows before the first prune. */
const retention = z.strictObject({
  timeZone: text
    .refine(isTimeZone, { error: ({ input }) => `"${input}" is no time zone, like Europe/Berlin or UTC` })
    .optional(),
  keepLast: count.optional(),
  keepHourly: count.optional(),
  keepDaily: count.optional(),
  keepWeekly: count.optional(),
  keepMonthly: count.optional(),
  keepYearly: count.optional(),
  keepWithin: text
    .refine(value => (parseDuration(value) ?? 0) > 0, {
      error: ({ input }) => `"${input}" is no duration, like 26h, 7d or 8w (m is minutes)`,
    })
    .optional(),
  keepTag: z.array(text).optional(),
});

/** The configuration file as it is written; relative paths are not yet resolved. */
export const configSchema = z.strictObject({
  instance: text.optional(),
  store: text.optional(),
  passphraseFile: text.optional(),
  passphraseCommand: text.optional(),
  home: z
    .strictObject({
      path: text,
      dataStores: z.array(text).default([]),
      exclude: z.array(text).default([]),
      excludeRepositories: z.array(z.union([z.number().int(), text])).default([]),
      networkHome: z.enum(['refuse', 'reread']).default('refuse'),
      fileSystem: text.optional(),
      freeze: z
        .strictObject({ take: z.array(command('60s')).min(1), mount: text, drop: commands('5m') })
        .optional(),
    })
    .optional(),
  database: z
    .strictObject({
      type: z.enum(['postgresql', 'mysql', 'internal', 'command', 'none']).default('postgresql'),
      url: text.optional(),
      passwordFile: text.optional(),
    })
    .optional(),
  app: z
    .strictObject({
      type: z.enum(['bitbucket', 'command', 'stopped', 'none']).default('bitbucket'),
      url: text.optional(),
      user: text.optional(),
      password: text.optional(),
      passwordFile: text.optional(),
      lock: command('60s').optional(),
      wait: command('60s').optional(),
      check: command('10s').optional(),
      unlock: command('60s').optional(),
    })
    .optional(),
  latch: z.strictObject({ drainTimeout: duration('60s'), maxHold: duration('5m') }).prefault({}),
  hooks: z
    .strictObject({
      beforeLock: commands('5m'),
      inWindow: commands('60s'),
      afterUnlock: commands('5m'),
      onFailure: commands('5m'),
      restore: commands('5m'),
    })
    .prefault({}),
  retention: retention.optional(),
});

export type ConfigFile = z.output<typeof configSchema>;
