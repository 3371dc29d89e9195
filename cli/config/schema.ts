import * as z from 'zod';
import { isTimeZone } from '../../engine/index.ts';
import { aDuration } from './nouns.ts';
import { ofKind } from './shape.ts';
import { parseDuration } from './units.ts';

// Every key has a description: it stands in the example, in docs/reference.md and in the JSON Schema. A message of a
// check says what the value may be; issues.ts makes the sentence of it.

const durationMsMin = 1_000;
/** No timer of Node waits longer: past 2^31 ms it would end at once. */
const durationMsMax = 24 * 86_400_000;

/** Text like 90s; a number is ms, as a manifest shows it. */
const duration = (fallback: string) =>
  ofKind(
    'duration',
    z.union([
      z.string().regex(/^\d{1,12}(\.\d{1,6})?(ms|s|m|h|d|w)$/),
      z.int().min(durationMsMin).max(durationMsMax),
    ]),
  )
    .transform((value, context) => {
      const ms = typeof value === 'number' ? value : (parseDuration(value) ?? 0);
      if (ms >= durationMsMin && ms <= durationMsMax) return ms;
      context.addIssue({ code: 'custom', message: aDuration });
      return z.NEVER;
    })
    .prefault(fallback);

const text = z.string().min(1);
const secret = ofKind('secret', text);
const count = ofKind('count', z.int().min(0).max(999_999_999));

/** Only a shell replaces ~: taken as it is, it would be a folder of that name. */
const whole = text.refine(value => !/^~[^/]*(\/|$)/.test(value), {
  error: 'a path without ~, which only a shell replaces; write ${HOME} for it',
});
const path = ofKind('path', whole);

/** One that drivers can take apart; which kinds of database there are is said elsewhere. */
const databaseUrl = text.refine(isDatabaseUrl, {
  error: 'a URL like postgresql://user@host:5432/name; of a JDBC URL leave out jdbc:, and name the user',
});
const webUrl = text.refine(value => /^https?:\/\//.test(value) && isUrl(value), {
  error: 'a URL that begins with http:// or https://',
});
const name = text.refine(value => !/[\u0000-\u001f\u007f-\u009f]/.test(value), {
  error: 'a name in one line, without control characters',
});

/** A database may have several hosts, in the order in which they are tried. */
function isDatabaseUrl(value: string): boolean {
  const ofOneHost = value.replace(/^(\w+:\/\/(?:[^/?#]*@)?[^/?#,]*),[^/?#]*/, '$1');
  return /^(postgres(ql)?|mysql|mariadb):\/\//.test(value) && isUrl(ofOneHost);
}

function isUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  try {
    const { username, password, pathname } = new URL(value);
    for (const part of [username, password, pathname]) decodeURIComponent(part);
    return true;
  } catch {
    return false; // an escape that is none
  }
}

/** A command for /bin/sh, or one with a time-out of its own and a name for its record. */
const command = (timeout: string) =>
  z.union([script.transform(run => ({ run })).pipe(commandObject(timeout)), commandObject(timeout)]);

const script = ofKind('command', text);

const commandObject = (timeout: string) =>
  z.strictObject({
    run: script.describe('The command, for /bin/sh.'),
    timeout: duration(timeout).describe(
      'Past it the command, with all that it started, is ended and has failed.',
    ),
    name: text
      .optional()
      .describe('What its record is called, so that its twin below hooks.restore is handed it.'),
  });

const commands = (timeout: string) => z.array(command(timeout)).default([]);

const home = z.strictObject({
  path: path
    .describe('The folder of the application that holds its files: for Bitbucket, BITBUCKET_HOME.')
    .meta({ examples: ['/var/atlassian/application-data/bitbucket'] }),
  dataStores: z
    .array(path)
    .default([])
    .describe('Further folders, or globs of them; on restore, each needs a --map OLD=NEW.')
    .meta({ examples: [['/mnt/stores/*']] }),
  exclude: z
    .array(text)
    .default([])
    .describe(
      'What to leave out, as rules of .gitignore; a leading / is the home. The defaults of the application apply, too.',
    )
    .meta({ examples: [['/log/*', '*.tmp']] }),
  excludeRepositories: z
    .array(z.union([z.int(), text]))
    .default([])
    .describe('Ids of repositories to leave out.')
    .meta({ examples: [[12, 34]] }),
  networkHome: z
    .enum(['refuse', 'reread'])
    .default('refuse')
    .describe(
      'A home on a network file system shows attributes that may be seconds old: refuse it unless it is mounted with noac, or reread every ref inside the window.',
    ),
  fileSystem: text
    .optional()
    .describe(
      'The identity of the file system, for one that has none of its own; change it when the disk is replaced.',
    )
    .meta({ examples: ['disk-2026'] }),
  freeze: z
    .strictObject({
      take: z
        .array(command('60s'))
        .min(1)
        .describe('Commands that make the view, run inside the window.')
        .meta({ examples: [['lvcreate --snapshot --size 20G --name frozen vg0/home']] }),
      mount: path
        .describe('Where the home lies in the view.')
        .meta({ examples: ['/mnt/frozen/application-data/bitbucket'] }),
      drop: commands('5m')
        .describe('Commands that remove the view, on every path out.')
        .meta({ examples: [['lvremove --yes vg0/frozen']] }),
    })
    .optional()
    .describe('A read-only view of the volume, made inside the window and read after the unlock.'),
});

const databaseKeys = z.strictObject({
  type: z
    .enum(['postgresql', 'mysql', 'internal', 'command', 'none'])
    .default('postgresql')
    .describe(
      'What kind of database. This version has postgresql, mysql (MariaDB), internal (files of the home, as H2, HSQL and SQLite have them), command (by the commands below) and none.',
    ),
  url: ofKind('secret', databaseUrl)
    .optional()
    .describe(
      'Where it is. The password comes from here, from passwordFile, or as each kind of database has it: PGPASSWORD, PGPASSFILE, MYSQL_PWD.',
    )
    .meta({ examples: ['postgresql://stillpoint@127.0.0.1:5432/bitbucket'] }),
  passwordFile: path
    .optional()
    .describe('A file whose first line is the password.')
    .meta({ examples: ['/etc/stillpoint/database-password'] }),
  files: z
    .array(text)
    .min(1)
    .optional()
    .describe(
      'For internal: which files of the home it is, as rules of .gitignore; a leading / is the home. Default: data/db.* and shared/data/db.*, as a Bitbucket has them.',
    )
    .meta({ examples: [['/data/forge.sqlite3*']] }),
  dump: command('5m')
    .optional()
    .describe(
      'For command: what prints the dump, inside the window. Printing nothing is a failure, as is any end but 0.',
    )
    .meta({ examples: ['mysqldump --single-transaction --skip-dump-date bitbucket'] }),
  output: z
    .enum(['dump', 'id'])
    .default('dump')
    .describe(
      'For command: whether what it prints is stored, or its last line is the id of a snapshot that somebody else keeps.',
    ),
  pin: command('60s')
    .optional()
    .describe(
      'For command: what makes a view inside the window that later writes do not change, and prints its name. The dump then runs after the unlock, for $STILLPOINT_OUTPUT.',
    )
    .meta({ examples: ['/usr/local/bin/database-view take'] }),
  unpin: command('5m')
    .optional()
    .describe('For command: what removes that view, on every path out. May be run twice.')
    .meta({ examples: ['/usr/local/bin/database-view drop'] }),
  check: command('60s')
    .optional()
    .describe('For command: what ends with 0 when a restore may write into $STILLPOINT_DATABASE.')
    .meta({ examples: ['! mysql -e "USE $STILLPOINT_DATABASE"'] }),
  restore: command('24h')
    .optional()
    .describe(
      'For command: what reads the dump on stdin and restores it into $STILLPOINT_DATABASE, which is what --database said.',
    )
    .meta({
      examples: ['mysqladmin create "$STILLPOINT_DATABASE" && mysql "$STILLPOINT_DATABASE"'],
    }),
  auditEvery: count
    .default(0)
    .describe(
      'For postgresql: every so manieth snapshot reads all rows again, after the unlock, and compares them with the store, as backup --audit does; 0: only where that is asked for.',
    )
    .meta({ examples: [50] }),
});

const appKeys = z.strictObject({
  type: z
    .enum(['bitbucket', 'command', 'stopped', 'none'])
    .default('bitbucket')
    .describe(
      'How the application is brought to rest: bitbucket by its maintenance mode, command by the commands below, stopped proves that it does not run, none does nothing.',
    ),
  url: webUrl
    .optional()
    .describe('Where it is, for bitbucket; for stopped, the address whose port must be closed.')
    .meta({ examples: ['http://127.0.0.1:7990'] }),
  user: text
    .optional()
    .describe('A system administrator, for bitbucket.')
    .meta({ examples: ['admin'] }),
  password: secret
    .optional()
    .describe('The password of that user; better in passwordFile.')
    .meta({ examples: ['${BITBUCKET_PASSWORD}'] }),
  passwordFile: path
    .optional()
    .describe('A file whose first line is the password.')
    .meta({ examples: ['/etc/stillpoint/bitbucket-password'] }),
  lock: command('60s')
    .optional()
    .describe(
      'For command: what keeps people out. Ends with 75 when somebody else does; a line that it prints is the token from then on.',
    )
    .meta({ examples: ['systemctl stop forge-web'] }),
  wait: command('60s')
    .optional()
    .describe('For command: what waits until the writers have come to rest.')
    .meta({ examples: ['forgectl drain --wait'] }),
  check: command('10s')
    .optional()
    .describe('For command: what ends with 0 as long as it is held.')
    .meta({ examples: ['! systemctl --quiet is-active forge-web'] }),
  unlock: command('60s')
    .optional()
    .describe(
      'For command: what lets people in again, for $STILLPOINT_UNLOCK_TOKEN. Ends with 0, too, when nothing is locked.',
    )
    .meta({ examples: ['systemctl start forge-web'] }),
});

/** Of two passwords nobody would know which counts. */
function onePassword<T extends { readonly passwordFile?: string | undefined }>(
  hasOther: (values: T) => boolean,
  other: string,
) {
  return (values: T, context: z.core.$RefinementCtx<T>) => {
    if (values.passwordFile === undefined || !hasOther(values)) return;
    const message = `nothing where ${other} has a password, too: leave one of the two out`;
    context.addIssue({ code: 'custom', path: ['passwordFile'], message });
  };
}

const database = databaseKeys.superRefine(
  onePassword(({ url }) => url !== undefined && /^\w+:\/\/[^/?#@]*:[^/?#]*@|[?&]password=/.test(url), 'url'),
);
const app = appKeys.superRefine(onePassword(({ password }) => password !== undefined, 'password'));

const latch = z.strictObject({
  drainTimeout: duration('60s').describe('Not at rest in this time: give up, unlock and fail.'),
  maxHold: duration('5m').describe('The hard budget of the latch: past it, unlock first, then fail.'),
});

const hooks = z.strictObject({
  beforeLock: commands('5m')
    .describe('Before the application is locked; one that fails ends the run.')
    .meta({ examples: [[{ run: '/usr/local/bin/pause-indexing', timeout: '90s', name: 'indexing' }]] }),
  inWindow: commands('60s').describe('While it is at rest; every second counts.'),
  afterUnlock: commands('5m').describe('After it is unlocked.'),
  onFailure: commands('5m').describe('When a run has failed.'),
  restore: commands('5m').describe('After a restore.'),
});

/** Retention is checked here so that a mistake shows before the first prune. */
const retention = z.strictObject({
  timeZone: text
    .refine(isTimeZone, { error: 'a time zone, like Europe/Berlin or UTC' })
    .optional()
    .describe('Whose hours and days count; default: that of the machine.')
    .meta({ examples: ['Europe/Berlin'] }),
  keepLast: keep('Keep the newest so many.', 3),
  keepHourly: keep('Keep the last of each of the newest so many hours that have one.', 24),
  keepDaily: keep('Likewise of days.', 30),
  keepWeekly: keep('Likewise of weeks.', 8),
  keepMonthly: keep('Likewise of months.', 12),
  keepYearly: keep('Likewise of years.', 10),
  keepWithin: text
    .refine(value => (parseDuration(value) ?? 0) > 0, {
      error: 'a duration, like 26h, 7d or 8w (m is minutes)',
    })
    .optional()
    .describe('Keep all that are at most so much older than the newest; m is minutes.')
    .meta({ examples: ['7d'] }),
  keepTag: z
    .array(text)
    .optional()
    .describe('Keep all with one of these tags.')
    .meta({ examples: [['before-upgrade']] }),
});

function keep(meaning: string, example: number) {
  return count
    .optional()
    .describe(meaning)
    .meta({ examples: [example] });
}

/** The configuration file as it is written; relative paths are not yet resolved. */
export const configSchema = z.strictObject({
  instance: name
    .optional()
    .describe(
      'What is backed up, as a name: parent, `latest` and retention are per instance. Default: derived from home and database.',
    )
    .meta({ examples: ['bitbucket'] }),
  store: ofKind('place', whole)
    .optional()
    .describe('Where the snapshots are kept: a folder, on another disk than the home.')
    .meta({ examples: ['/var/backups/stillpoint'] }),
  passphraseFile: path
    .optional()
    .describe(
      'A file whose first line is the passphrase of the store. Keep the passphrase in a second place, too.',
    )
    .meta({ examples: ['/etc/stillpoint/passphrase'] }),
  passphraseCommand: ofKind('command', text)
    .optional()
    .describe('A command for /bin/sh that prints the passphrase, in place of passphraseFile.')
    .meta({ examples: ['pass show stillpoint'] }),
  keyFile: path
    .optional()
    .describe(
      'On a host that may write and not read: the file that `keys add --write-only` made for it, in place of a passphrase.',
    )
    .meta({ examples: ['/etc/stillpoint/host-key'] }),
  witness: path
    .optional()
    .describe(
      'A file away from the store that remembers which snapshots were there: brought up to date after each backup, compared by verify, and heeded by prune.',
    )
    .meta({ examples: ['/var/lib/stillpoint/witness'] }),
  parity: z
    .enum(['off', 'on'])
    .default('on')
    .describe(
      'Whether each pack gets parity beside it, 3.2 % of its size: from it a repair brings back a thirtieth of a damaged pack in a row, up to 512 KiB. `repair` adds it to packs that have none.',
    ),
  home: home.optional().describe('The files of the application.'),
  database: database.optional().describe('The database that belongs to them.'),
  app: app.optional().describe('The application that is locked while the state is captured.'),
  latch: latch.prefault({}).describe('How long the application may be locked.'),
  hooks: hooks
    .prefault({})
    .describe(
      'Commands for /bin/sh, each as text or as { run, timeout, name }. The shell replaces ${VAR} in them; $${VAR} is one that only the shell knows.',
    ),
  retention: retention
    .optional()
    .describe(
      'What prune keeps of this instance; without it prune forgets nothing. A snapshot goes when no rule keeps it.',
    ),
});

export type ConfigFile = z.output<typeof configSchema>;
