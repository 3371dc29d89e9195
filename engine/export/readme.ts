import { nameOfRoot } from '../look/address.ts';
import { printableText } from '../look/names.ts';
import type { Snapshot } from '../pair.ts';
import { folderOfRoot } from './layout.ts';

/** What a person reads who has the archive, tar and psql, and nothing of this program. */
export function archiveReadme(snapshot: Snapshot, { top }: { readonly top: string }): string {
  return [
    about(snapshot, top),
    unpacking(top),
    ...(snapshot.database ? [database(snapshot)] : []),
    ...(snapshot.home ? [home(snapshot)] : []),
    together(snapshot),
    ...missing(snapshot),
  ].join('\n');
}

function about(snapshot: Snapshot, top: string): string {
  const { version, displayName } = snapshot.fence.application;
  return `# ${printableText(snapshot.instance)}, ${new Date(snapshot.timeMs).toISOString()}

This is everything of snapshot \`${snapshot.id}\`: what the home directory and the database of
\`${printableText(snapshot.instance)}\` (host \`${printableText(snapshot.host)}\`${version ? `, ${printableText(`${displayName} ${version}`)}` : ''}) held at one instant. They belong together: use both, or neither.
Nothing but tar${snapshot.database ? ' and the client of PostgreSQL' : ''} is needed to bring it back.

| In \`${top}/\` | Is |
|---|---|
${[
  ...(snapshot.home?.roots.map(
    (root, i) => `| \`${folderOfRoot(i)}/\` | \`${nameOfRoot(root)}\` as it was |`,
  ) ?? []),
  ...(snapshot.database ? ['| `database/` | the database, as SQL for psql |'] : []),
  '| `snapshot.json` | what the backup says about itself |',
  '| `SHA256SUMS` | the sum of every file, the last thing in the archive |',
].join('\n')}
`;
}

const unpacking = (top: string): string => `## Unpack

As root, so that files get their owners (numbers, not names), into a folder with room for all of it:

    tar --zstd -xpf FILE.tar.zst --numeric-owner --xattrs --xattrs-include='*'
    cd ${top}
    sha256sum --quiet -c SHA256SUMS

\`zstd -dc FILE.tar.zst | tar -xpf - …\` does the same where tar does not know zstd. The sums are of what was backed up;
an error means that the archive was damaged since. An archive without \`SHA256SUMS\` is not whole.
`;

function database(snapshot: Snapshot): string {
  const { name, serverVersion, tables, rows } = snapshot.database!;
  return `## The database

It was \`${printableText(name)}\` on PostgreSQL ${printableText(serverVersion)}: ${tables} tables, ${rows} rows. Install a server of that version or a newer one,
with the extensions that \`database/steps/pre-data.sql\` names and the locales that \`database/create-database.sql\` names, and psql of 14 or newer.

1. As a superuser, make the roles that are not there yet. \`database/roles.sql\` has all of them, without passwords; look before you run it:

        psql -X -d postgres -f database/roles.sql

2. Make the database, with its encoding and locale (another name: \`-v name=OTHER\`):

        psql -X -d postgres -f database/create-database.sql

3. Load it, as a superuser. It stops at the first error; it refuses a database that holds something, has another encoding, or lacks a role:

        psql -X -d NAME -f database/load.sql && psql -X -d NAME -f database/database-settings.sql

   \`loaded, and every table has its rows\` is its last line: each table was counted. After an error drop the database and begin again at 2.
4. Give the application's role its password again: \`ALTER ROLE … PASSWORD …\`.

Rows are in \`database/tables/\`, a file a table, as \`COPY\` text in the encoding of the database.
`;
}

function home(snapshot: Snapshot): string {
  const { roots, files, bytes } = snapshot.home!;
  return `## The home

${files} files, ${bytes} bytes. Move each folder to its place:

${roots.map((root, i) => `- \`${folderOfRoot(i)}/\` was \`${nameOfRoot(root)}\``).join('\n')}

Unpacked by another user than root, files belong to that user. Extended attributes and holes come back with GNU tar; others may lose them.
`;
}

function together(snapshot: Snapshot): string {
  const { version, displayName, type } = snapshot.fence.application;
  const isBitbucket = type === 'bitbucket';
  return `## Before you start the application

${[
  ...(version
    ? [`- Install ${printableText(`${displayName} ${version}`)}: the version that was backed up.`]
    : []),
  ...(isBitbucket && snapshot.home
    ? [
        '- `shared/bitbucket.properties` in the home names a database (`jdbc.url`). It must be the one that you loaded: a twin that writes to a live database destroys both.',
        '- Base URL, mail server and licence came with the database: change the first, keep mail off until then.',
        '- Caches and search indexes are not here: let the application rebuild its search index.',
      ]
    : ['- Its settings may name a database or other servers: look that they are the ones that you mean.']),
].join('\n')}
`;
}

function missing({ degraded, home }: Snapshot): string[] {
  const lines = [
    ...(degraded?.losses.map(({ half, text }) => `- ${half}: ${printableText(text)}`) ?? []),
    ...(degraded && degraded.more > 0 ? [`- and ${degraded.more} more`] : []),
    ...(home?.unreadable.map(name => `- could not be read when it was backed up: ${printableText(name)}`) ??
      []),
  ];
  if (lines.length === 0) return [];
  return [`## What is missing\n\n${lines.join('\n')}\n`];
}
