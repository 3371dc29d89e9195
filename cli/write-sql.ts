import { open, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, resolve } from 'node:path';
import { type DatabaseWish, engineError, restoreSql } from '../engine/index.ts';
import type { Context } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { openConfiguredStore } from './open-store.ts';
import { pour } from './pour.ts';
import { type SnapshotWish, snapshotNamed } from './snapshot-named.ts';

interface SqlWish extends SnapshotWish {
  readonly sql: string;
  readonly wish: DatabaseWish;
  readonly home?: string;
  readonly database?: string;
  readonly only?: 'home' | 'database';
  readonly path: readonly string[];
  readonly repository: readonly string[];
}

/** Writes the database of a snapshot as SQL: to stdout for `-`, as it is, with --json, too; else into a new file. */
export async function writeSql(context: Context, options: SqlWish): Promise<number> {
  const { wish } = options;
  const other =
    options.home !== undefined ||
    options.database !== undefined ||
    options.only === 'home' ||
    options.path.length + options.repository.length > 0 ||
    wish.isAlongside;
  if (other)
    throw engineError('USAGE', 'Cannot write SQL: --sql writes the database, and restores nothing', {
      remedy: 'Leave out --home, --database, --alongside and parts of the home.',
    });
  await using store = await openConfiguredStore(context);
  const snapshot = await snapshotNamed(context, store, options);
  // With --json they would be on stdout, in the script.
  const warn = (text: string): void => {
    if (options.sql !== '-' || !context.output.json) context.output.warning(text);
  };
  const pieces = restoreSql(store, {
    snapshot,
    wish,
    host: hostname(),
    signal: context.signal,
    onProgress: options.sql === '-' ? undefined : context.progress.onProgress,
    onWarning: warn,
  });
  const lost = snapshot.degraded?.losses.filter(({ half }) => half === 'database') ?? [];
  for (const { text } of lost) warn(`Lost, and not in the script: ${text}`);
  const code = lost.length > 0 ? exitCodes.incomplete : exitCodes.done;
  if (options.sql === '-') {
    await pour(context, pieces);
    return code;
  }
  const file = resolve(context.cwd, options.sql);
  const bytes = await writeNewFile(file, pieces);
  context.output.result(
    { messageType: 'summary', snapshot: snapshot.id, file, bytes, verified: true },
    `Wrote ${file}; every byte was checked.`,
  );
  return code;
}

/** A file that was not written to its end is taken away. TARGET_NOT_EMPTY, TARGET_FAILED. */
async function writeNewFile(file: string, pieces: AsyncIterable<Uint8Array | string>): Promise<number> {
  const handle = await open(file, 'wx', 0o600).catch((cause: unknown) => {
    throw cannotWrite(file, cause);
  });
  let bytes = 0;
  try {
    try {
      for await (const piece of pieces) bytes += await write(piece);
      await handle.sync();
    } finally {
      await handle.close();
    }
    const folder = await open(dirname(file));
    await folder.sync().finally(() => folder.close());
    return bytes;
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
  async function write(piece: Uint8Array | string): Promise<number> {
    const buffer = typeof piece === 'string' ? Buffer.from(piece) : piece;
    await handle.writeFile(buffer).catch((cause: unknown) => {
      throw cannotWrite(file, cause);
    });
    return buffer.length;
  }
}

function cannotWrite(file: string, cause: unknown): Error {
  const { code, message } = cause as NodeJS.ErrnoException;
  const isThere = code === 'EEXIST';
  return engineError(
    isThere ? 'TARGET_NOT_EMPTY' : 'TARGET_FAILED',
    `Cannot write ${file}: ${isThere ? 'it is there already' : message}`,
    { remedy: 'Name a new file in a folder that this user may write to, with room for the database.', cause },
  );
}
