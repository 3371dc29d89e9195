import { dirname } from 'node:path';
import { type DatabaseAddress, engineError } from '../../engine/index.ts';
import type { ConfigFile } from '../config/schema.ts';

type DatabaseConfig = NonNullable<ConfigFile['database']>;
type CommandAddress = Extract<DatabaseAddress, { type: 'command' }>;
type Configured = NonNullable<DatabaseConfig['dump']>;

const commandOf = (configured: Configured | undefined) =>
  configured ? { run: configured.run, timeoutMs: configured.timeout, name: configured.name ?? null } : null;

/** The commands of `database.type: command`; null for a database of another type. */
export function commandDatabase(
  values: ConfigFile,
  { file, instance }: { readonly file: string; readonly instance: string },
): CommandAddress | null {
  const { database } = values;
  if (database?.type !== 'command') return null;
  const { dump, output, pin, unpin, check, restore } = database;
  return {
    type: 'command',
    dump: commandOf(dump),
    output,
    pin: commandOf(pin),
    unpin: commandOf(unpin),
    check: commandOf(check),
    restore: commandOf(restore),
    place: { instance, home: values.home?.path ?? null, databaseUrl: null, folder: dirname(file) },
    target: null,
  };
}

/** What a backup needs of them. CONFIG_INVALID. */
export function checkDumpable({ dump, pin, unpin }: CommandAddress, file: string): void {
  if (!dump) {
    throw engineError('CONFIG_INVALID', `Cannot back up the database: ${file} has no database.dump`, {
      remedy: 'Write the command that prints the dump as database.dump.',
    });
  }
  if ((pin === null) === (unpin === null)) return;
  const [there, lacking] = pin ? ['pin', 'unpin'] : ['unpin', 'pin'];
  throw engineError(
    'CONFIG_INVALID',
    `Cannot back up the database: ${file} has database.${there} and no database.${lacking}`,
    {
      remedy: pin
        ? 'Write the command that lets go of what database.pin holds; else it is there for good.'
        : 'Take it out, or write the command that pins a view inside the window.',
    },
  );
}

const commandKeys = ['dump', 'pin', 'unpin', 'check', 'restore'] as const;

/** Keys of the database that its type has no use for: a mistake that would go unnoticed. CONFIG_INVALID. */
export function refuseUnusedOfDatabase({ database }: ConfigFile, file: string): void {
  if (!database) return;
  const { type } = database;
  const isCommand = type === 'command';
  const useless = [
    ...(type === 'internal' ? [] : (['files'] as const)),
    ...(isCommand ? [] : commandKeys),
    ...(isCommand || type === 'internal' ? (['url', 'passwordFile'] as const) : []),
  ];
  const unused = [
    ...useless.filter(key => database[key] !== undefined),
    ...(isCommand || database.output === 'dump' ? [] : ['output']),
  ];
  if (unused.length === 0) return;
  const names = unused.map(key => `database.${key}`).join(', ');
  const it = unused.length > 1 ? 'them' : 'it';
  throw engineError('CONFIG_INVALID', `Cannot use ${file}: database.type ${type} has no use for ${names}`, {
    remedy: `Take ${it} out, or write the database.type that it belongs to.`,
  });
}
