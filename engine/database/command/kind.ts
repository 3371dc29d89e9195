import {
  type ChunkSource,
  type ListingRoot,
  readListing,
  type SnapshotId,
  salvageListing,
  sameContent,
} from '../../../store/index.ts';
import { type Command, type CommandMoment, runCommand } from '../../command/index.ts';
import { engineError } from '../../errors.ts';
import { environmentOf } from '../../hooks.ts';
import { contentParts } from '../../ingest/index.ts';
import { lostRanges } from '../../repair/losses.ts';
import type { DatabaseAddress, RestoreDatabaseOptions, RestoredDatabase } from '../database.ts';
import type {
  DatabaseDiffOptions,
  DatabaseItem,
  DatabaseKind,
  DatabaseSalvage,
  DatabaseThing,
  SalvagedDatabase,
  StoredDatabase,
} from '../kind.ts';
import { type CommandMarks, commandMarks } from '../marks.ts';
import { decodeDump, dumpIn } from './entry.ts';
import { CommandSource } from './source.ts';
import type { CommandAddress } from './types.ts';

export const commandKind: DatabaseKind<CommandMarks, CommandAddress> = {
  type: 'command',
  title: 'a command',
  marks: commandMarks,
  nameOf: ({ target }) => target ?? undefined,
  connect: async options => new CommandSource(options),
  baseOf: ({ listing, ...marks }, access) => ({ ...access, ...marks, root: listing }),
  withoutBase: stored => stored,
  targetOf,
  checkTarget,
  restore,
  check,
  describeEntry: () => 'the dump',
  look: { groups: [], find, items, diff },
  salvage,
};

function targetOf(text: string, configured: DatabaseAddress | null = null): CommandAddress {
  if (configured?.type === 'command' && configured.restore !== null) {
    const place = { ...configured.place, databaseUrl: null, databaseName: text };
    return { ...configured, place, target: text };
  }
  throw engineError('USAGE', 'Cannot restore the database: no command is configured that reads its dump', {
    remedy:
      'Write database.type: command and database.restore into the configuration; or print the dump with `stillpoint cat SNAPSHOT database:dump`, and restore the home with --only home.',
  });
}

interface RunOn {
  readonly moment: CommandMoment;
  readonly snapshot: SnapshotId;
  readonly id: string | null;
  readonly input?: AsyncIterable<Uint8Array>;
}

function run(
  command: Command,
  { place, clock, signal }: Pick<RestoreDatabaseOptions & CommandAddress, 'place' | 'clock' | 'signal'>,
  { moment, snapshot, id, input }: RunOn,
) {
  const env = {
    ...environmentOf(place),
    STILLPOINT_SNAPSHOT: snapshot,
    STILLPOINT_OUTPUT: id ?? undefined,
  };
  return runCommand(command, { moment, env, clock, signal, folder: place.folder, input });
}

/** Whether a target holds something only a command can tell; without one, the restore command must refuse what it would overwrite. */
async function checkTarget(
  target: CommandAddress & { readonly snapshot: SnapshotId } & Pick<
      RestoreDatabaseOptions,
      'clock' | 'signal'
    >,
): Promise<void> {
  if (!target.check) return;
  try {
    await run(target.check, target, { moment: 'restore-check', snapshot: target.snapshot, id: null });
  } catch (error) {
    if (target.signal?.aborted) throw error;
    throw engineError(
      'TARGET_NOT_EMPTY',
      `Cannot restore into ${target.target}: ${(error as Error).message}`,
      {
        remedy:
          'Name a target that database.check lets be written into. What a restore that failed has left in one is to be removed first: nobody but you can tell what that is.',
        cause: error,
      },
    );
  }
}

/** What is read on stdin is checked as it is read; the command says whether it took all of it. COMMAND_FAILED. */
async function restore(options: CommandAddress & RestoreDatabaseOptions): Promise<RestoredDatabase> {
  const { source, root, snapshot, stored, restore: command } = options;
  if (!command) throw new TypeError('Cannot restore: no command reads the dump');
  const content = await dumpIn(source, root);
  const id = stored?.type === 'command' ? stored.id : null;
  const input = content ? counted(contentParts(source, content), options) : undefined;
  await run(command, options, { moment: 'restore-database', snapshot, id, ...(input && { input }) });
  await options.onFilled?.();
  return { database: options.target ?? '', tables: 0, rows: 0, verified: true, warnings: [] };
}

async function* counted(
  parts: AsyncIterable<Uint8Array>,
  { onProgress }: Pick<RestoreDatabaseOptions, 'onProgress'>,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const part of parts) {
    yield part;
    bytes += part.length;
    onProgress?.({ tablesDone: 0, tablesTotal: 0, rows: 0, bytes, bytesTotal: 0 });
  }
}

async function check(source: ChunkSource, stored: StoredDatabase<CommandMarks>): Promise<string | undefined> {
  const found = { entries: 0, bytes: 0 };
  for await (const entry of readListing(source, stored.listing)) {
    found.entries += 1;
    found.bytes += decodeDump(entry).length;
  }
  const { output, bytes, listing } = stored;
  if (found.entries !== listing.entries || found.entries !== (output === 'dump' ? 1 : 0))
    return `The database has ${found.entries} dumps, its manifest says ${output} and ${listing.entries}`;
  if (found.bytes !== bytes) return `The dump has ${found.bytes} bytes, its manifest says ${bytes}`;
  return output === 'id' && stored.id === null ? 'The database has neither a dump nor an id' : undefined;
}

async function find(
  source: ChunkSource,
  { listing, path }: { readonly listing: ListingRoot; readonly path: string },
): Promise<DatabaseThing> {
  if (path === '') return { group: undefined, schema: undefined };
  for await (const item of items(source, { listing })) if (item.path === path) return { item };
  throw engineError('PATH_UNKNOWN', `Cannot find database:${path}: the database is one dump`, {
    remedy: 'See what there is with `stillpoint ls SNAPSHOT database:`.',
  });
}

async function* items(
  source: ChunkSource,
  { listing }: { readonly listing: ListingRoot },
): AsyncGenerator<DatabaseItem> {
  const content = await dumpIn(source, listing);
  if (content)
    yield { path: 'dump', type: 'dump', size: content.length, read: () => contentParts(source, content) };
}

async function diff(source: ChunkSource, { before, after }: DatabaseDiffOptions) {
  const [one, other] = [await dumpIn(source, before), await dumpIn(source, after)];
  const isSame = one === null || other === null ? one === other : sameContent(one, other);
  return { tables: [], sequences: [], definitions: isSame ? [] : ['dump'] };
}

/** A dump that lacks bytes is none: nobody knows what a command would make of the rest. */
async function salvage(
  { listing, segments, bytes }: StoredDatabase<CommandMarks>,
  { losses, ...where }: DatabaseSalvage,
): Promise<SalvagedDatabase> {
  let isRestorable = true;
  for await (const step of salvageListing(where.source, listing)) {
    if ('gap' in step) losses.because({ id: step.gap.node, kind: 'node' });
    const lost = 'gap' in step ? [] : await lostRanges(decodeDump(step.entry), where);
    for (const { ref } of lost) losses.because(ref);
    if (!('gap' in step) && lost.length === 0) continue;
    isRestorable = false;
    losses.add('database', `all of it, a dump of ${bytes} bytes: a part of it is lost`);
  }
  const entries = () => readListing(where.source, listing);
  return { isRestorable, tables: 0, rows: 0, segments, entries };
}
