import { nameOfRoot } from '../look/address.ts';
import { printableText } from '../look/names.ts';
import type { Snapshot } from '../pair.ts';
import { folderOfRoot } from './layout.ts';

/** What the kind of the database says of it. */
interface DatabasePart {
  readonly title: string;
  readonly instructions: string;
}

/** What a person reads who has the archive, tar and a client of the database, and nothing of this program. */
export function archiveReadme(
  snapshot: Snapshot,
  { top, database }: { readonly top: string; readonly database: DatabasePart | null },
): string {
  return [
    about(snapshot, { top, database }),
    unpacking(top),
    ...(database ? [database.instructions] : []),
    ...(snapshot.home ? [home(snapshot)] : []),
    together(snapshot),
    ...missing(snapshot),
  ].join('\n');
}

function about(
  snapshot: Snapshot,
  { top, database }: { readonly top: string; readonly database: DatabasePart | null },
): string {
  const { version, displayName } = snapshot.fence.application;
  return `# ${printableText(snapshot.instance)}, ${new Date(snapshot.timeMs).toISOString()}

This is everything of snapshot \`${snapshot.id}\`: what the home directory and the database of
\`${printableText(snapshot.instance)}\` (host \`${printableText(snapshot.host)}\`${version ? `, ${printableText(`${displayName} ${version}`)}` : ''}) held at one instant. They belong together: use both, or neither.
Nothing but tar${database ? ` and the client of ${database.title}` : ''} is needed to bring it back.

| In \`${top}/\` | Is |
|---|---|
${[
  ...(snapshot.home?.roots.map(
    (root, i) => `| \`${folderOfRoot(i)}/\` | \`${nameOfRoot(root)}\` as it was |`,
  ) ?? []),
  ...(database ? [`| \`database/\` | the database, for the client of ${database.title} |`] : []),
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
