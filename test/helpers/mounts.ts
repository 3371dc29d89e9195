import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why tests that mount something cannot run here; false where they can. */
export const mountsRefused: string | false = refusal();

function refusal(): string | false {
  const folder = mkdtempSync(join(tmpdir(), 'stillpoint-mount-'));
  try {
    if (spawnSync('mount', ['-t', 'tmpfs', 'none', folder]).status !== 0) return 'needs the right to mount';
    spawnSync('umount', [folder]);
    return false;
  } finally {
    rmdirSync(folder);
  }
}
