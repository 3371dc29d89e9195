import { hostname, tmpdir } from 'node:os';
import { resolve } from 'node:path';
import {
  archiveKindOf,
  type ExportTarget,
  engineError,
  exportSnapshot,
  isArchiveName,
} from '../../engine/index.ts';
import type { Command, Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { openConfiguredStore, storePlace } from '../open-store.ts';
import { toJsonText } from '../render/output.ts';
import { counted, duration, size } from '../render/quantities.ts';
import { snapshotJson } from '../render/snapshot-json.ts';
import { refuseTargetInside } from '../settings/places.ts';
import { type SnapshotWish, snapshotNamed, warnOfProblems } from '../snapshot-named.ts';

interface ExportOptions extends SnapshotWish {
  readonly output?: string;
  readonly force?: true;
  readonly portable?: true;
}

const toStdout = '-';

/** Writes a snapshot as an archive that tar and psql alone bring back, or its tables for any other database. */
export const exportCommand: Command<ExportOptions> = async (context, options) => {
  const target = targetOf(context, options);
  await using store = await openConfiguredStore(context);
  const snapshot = await snapshotNamed(context, store, options);
  const summary = `${toJsonText(snapshotJson(snapshot))}\n`;
  const result = await exportSnapshot({
    store,
    clock: context.seams.clock,
    randomness: context.seams.randomness,
    host: hostname(),
    snapshot,
    summary,
    form: options.portable ? 'portable' : 'whole',
    target,
    scratchFolder: tmpdir(),
    signal: context.signal,
    onProgress: context.progress.onProgress,
  });
  warnOfProblems(context, store);
  for (const name of snapshot.home?.unreadable ?? []) context.output.warning(`Not in the snapshot: ${name}`);
  for (const loss of result.lost) context.output.warning(`Lost, and not exported: ${loss}`);
  const { home, database, bytes, lost, durationMs } = result;
  if (target.to !== 'sink')
    context.output.result(
      {
        messageType: 'summary',
        snapshot: snapshot.id,
        output: target.path,
        bytes,
        home,
        database,
        lost,
        durationMs,
      },
      [
        `Exported snapshot ${snapshot.id.slice(0, 8)} in ${duration(durationMs)}: ${target.path}, ${size(bytes)}.`,
        ...(home ? [`home       ${counted(home.files, 'file')}, ${size(home.bytes)}`] : []),
        ...(database
          ? [`database   ${counted(database.tables, 'table')}, ${counted(database.rows, 'row')}`]
          : []),
        'The README.md in it says how it is brought back.',
      ].join('\n'),
    );
  return lost.length > 0 ? exitCodes.incomplete : exitCodes.done;
};

function targetOf(context: Context, { output, force, portable }: ExportOptions): ExportTarget {
  if (!output)
    throw engineError('USAGE', 'Cannot export: -o was not given', {
      remedy: 'Name the archive, as in -o FILE.tar.zst, or - for standard output.',
    });
  if (output === toStdout) return { to: 'sink', sink: stdoutOf(context, force) };
  const path = resolve(context.cwd, output);
  const home = context.config()?.values.home?.path;
  refuseTargetInside(path, { store: storePlace(context), home });
  if (!portable || isArchiveName(path)) {
    archiveKindOf(path);
    return { to: 'file', path, force: force ?? false };
  }
  if (force)
    throw engineError('USAGE', `Cannot export to ${path}: --force replaces a file, and never a folder`, {
      remedy: 'Leave --force out, and name a folder that is empty or not there yet.',
    });
  return { to: 'folder', path };
}

function stdoutOf({ output }: Context, force: true | undefined) {
  const remedy = 'Write into a file with -o FILE.tar.zst, or pass the archive on, as in `… -o - | ssh …`.';
  if (output.json)
    throw engineError('USAGE', 'Cannot export to standard output with --json: it can hold one of them', {
      remedy,
    });
  if (force) throw engineError('USAGE', 'Cannot export: --force replaces a file, and - is none', { remedy });
  return {
    async write(bytes: Uint8Array): Promise<void> {
      if (await output.data(bytes)) return;
      throw engineError('TARGET_FAILED', 'Cannot export to standard output: nobody reads it any more', {
        remedy,
      });
    },
  };
}
