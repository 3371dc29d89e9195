import { type CommandDescription, narrowing, ofStores, pathText, theSnapshot } from '../describe.ts';

/** What brings snapshots back, and what proves beforehand that it will. */
export const restoring: readonly CommandDescription[] = [
  {
    name: 'verify',
    arguments: [
      {
        name: 'snapshots',
        text: 'which snapshots; without any: all, and everything else in the store',
        isOptional: true,
        isRepeatable: true,
      },
    ],
    summary: 'check structure and pairing of the snapshots (default: all)',
    options: [
      ...narrowing,
      { flags: '--read-data', text: 'read and check every byte' },
      {
        flags: '--witness <file>',
        text: 'compare with what this file, kept away from the store, says was there, and bring it up to date where all is well; else `witness` of the configuration',
      },
    ],
    exitCodes: ofStores,
    examples: [
      { line: 'stillpoint verify', text: 'the structure of everything: quick' },
      { line: 'stillpoint verify --read-data', text: 'every byte' },
      {
        line: 'stillpoint verify --witness /mnt/away/witness',
        text: 'and whether anything that was there is gone',
      },
      { line: 'stillpoint verify latest --read-data --json', text: 'what one snapshot needs' },
    ],
    load: async () => (await import('../../commands/verify.ts')).verify,
  },
  {
    name: 'restore',
    arguments: [theSnapshot],
    summary: 'restore the pair',
    text: [
      'Into an empty or absent folder and an empty or absent database, never over something. A restore that was killed is begun again by the same command. It ends with what must be done before the application may be started.',
      ...pathText,
    ],
    options: [
      ...narrowing,
      { flags: '--home <folder>', text: 'restore the home into this empty or absent folder' },
      { flags: '--database <url>', text: 'restore the database into this empty or absent database' },
      { flags: '--only <half>', text: 'only one half', choices: ['home', 'database'] },
      {
        flags: '--path <path>',
        text: 'only this file or folder of the home; may be repeated; restores no database',
        isRepeatable: true,
      },
      {
        flags: '--repository <id>',
        text: 'only the folder of this repository, and of those that it borrows from; may be repeated',
        isRepeatable: true,
      },
      { flags: '--map <old=new>', text: 'where a data store goes; may be repeated', isRepeatable: true },
      {
        flags: '--set-jdbc',
        text: 'point the restored jdbc.url to the database restored into',
      },
      {
        flags: '--owner <rule>',
        text: 'whose the files are: keep (by number, the default), by-name, or UID:GID',
      },
    ],
    exitCodes: [...ofStores, 'locked'],
    examples: [
      {
        line: 'PGPASSFILE=/etc/stillpoint/pgpass stillpoint restore latest --home /srv/bitbucket --database postgresql://bitbucket@127.0.0.1/bitbucket',
        text: 'the pair',
      },
      {
        line: 'stillpoint restore latest --home /srv/twin --database postgresql://twin@127.0.0.1/twin --set-jdbc',
        text: 'a twin that must not write to the live database',
      },
      {
        line: 'stillpoint restore 5d41 --home /tmp/look --path shared/bitbucket.properties',
        text: 'one file',
      },
      { line: 'stillpoint restore latest --home /tmp/look --repository 12', text: 'one repository' },
    ],
    load: async () => (await import('../../commands/restore.ts')).restore,
  },
];
