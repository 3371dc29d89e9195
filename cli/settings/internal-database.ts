import { type BackupOptions, bitbucketExcludes, engineError } from '../../engine/index.ts';
import type { ConfigFile } from '../config/schema.ts';

/** Where a Bitbucket has the files of its own database; its default excludes leave them out. */
const bitbucketFiles = ['/data/db.*', '/shared/data/db.*'];

type HomeRules = Pick<NonNullable<BackupOptions['home']>, 'appExcludes' | 'readInWindow'>;

/** What of the home is left out for the application, and what is read inside the window for its database. */
export function internalDatabase(values: ConfigFile, file: string): HomeRules {
  const { database, app } = values;
  const excludes = app?.type === 'bitbucket' ? bitbucketExcludes : [];
  if (database?.type !== 'internal') return { appExcludes: excludes };
  refuseUnheld(values, file);
  return {
    appExcludes: excludes.filter(rule => !bitbucketFiles.includes(rule)),
    readInWindow: database.files ?? bitbucketFiles,
  };
}

/** Files that somebody writes to while they are read are no database. CONFIG_INVALID. */
function refuseUnheld({ app, home }: ConfigFile, file: string): void {
  if ((app?.type ?? 'none') !== 'none' || home?.freeze) return;
  throw engineError(
    'CONFIG_INVALID',
    `Cannot back up the database: database.type in ${file} is internal, and nothing keeps its files still`,
    {
      remedy: 'Write app.type: bitbucket, command or stopped, or take a view of the volume with home.freeze.',
    },
  );
}

/** CONFIG_INVALID. */
export function refuseInternalWithoutHome({ database, home }: ConfigFile, file: string): void {
  if (database?.type !== 'internal' || home) return;
  throw engineError(
    'CONFIG_INVALID',
    `Cannot back up the database: database.type in ${file} is internal, and there is no home`,
    { remedy: 'Write home.path: the database lies in it.' },
  );
}
