import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A run of another program, or of ours. */
export interface Run {
  readonly seconds: number;
  readonly bytes: number;
}

/** Time and size of `pg_dump -Fd -j2`; what it wrote is removed. */
export async function runDump(options: {
  readonly clientDir: string;
  readonly url: string;
  /** Below which it writes. */
  readonly folder: string;
  /** Such as `-Z1`; without: pg_dump's own choice. */
  readonly extra?: readonly string[];
}): Promise<Run> {
  const folder = mkdtempSync(join(options.folder, 'dump-'));
  const args = ['-Fd', '-j2', ...(options.extra ?? []), '-f', join(folder, 'dump'), options.url];
  try {
    const startedMs = performance.now();
    const child = spawn(join(options.clientDir, 'pg_dump'), args, { stdio: 'inherit' });
    const [code] = (await once(child, 'exit')) as [number | null];
    const seconds = (performance.now() - startedMs) / 1000;
    if (code !== 0) throw new Error(`Cannot compare with pg_dump: it ended with ${code}`);
    return { seconds, bytes: folderBytes(folder) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of all files below. */
export function folderBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
