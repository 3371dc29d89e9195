import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { writeOddFiles } from '../../bench/instance/index.ts';
import { availableServers } from '../../bench/servers/index.ts';
import { assertDatabasesEqual } from '../helpers/database-equal.ts';
import { assertEqualsOriginal } from '../helpers/original.ts';
import { restoreInto, smallRig } from '../helpers/small-rig.ts';

for (const { kind, version, clientDir } of await availableServers()) {
  test(`home and database equal the originals after a restore (${kind} ${version})`, async context => {
    await using rig = await smallRig({ server: kind, rows: 1_500, inProcess: true });
    const { instance } = rig;
    await makeOdd(instance.home, context);
    await rig.summary(['backup', '--json']);
    const { home, databaseUrl } = await restoreInto(rig, 'restored');

    await assertEqualsOriginal(instance, home);
    await assertDatabasesEqual(instance.databaseUrl, databaseUrl, { pgDump: clientDir });
  });
}

async function makeOdd(home: string, context: TestContext): Promise<void> {
  const { folder, refused } = await writeOddFiles(home);
  for (const kind of refused) context.diagnostic(`not tested here: ${kind}`);
  assert.ok(refused.every(kind => /^(extended attributes|a FIFO): /.test(kind)));
  // Nobody but root can back up what its owner may not read.
  if (process.geteuid?.() !== 0) chmodSync(join(folder, 'mode-0'), 0o400);
}
