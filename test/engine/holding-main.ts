import { writeSync } from 'node:fs';
import { beginRun } from '../../engine/latch/index.ts';
import type { SnapshotId } from '../../store/index.ts';

// A run of an instance that does nothing but be there. `deaf`: SIGTERM does not end it; a snapshot id: it has committed
// that; `commit`: it is about to.
const [stateDir = '', instance = '', how = ''] = process.argv.slice(2);
const run = await beginRun({ stateDir, instance });
if (how === 'commit') run.note('commit');
else if (how !== 'deaf') run.noteCommitted(how as SnapshotId);
process.on('SIGTERM', () => {
  if (how !== 'deaf') void run.release().then(() => process.exit(0));
});
writeSync(1, 'here\n');
setInterval(() => undefined, 1_000);
