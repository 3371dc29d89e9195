import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { test } from 'node:test';
import type { Ended } from '../../bench/rig/index.ts';
import { loadBlake3 } from '../../store/hash.ts';
import { withHost } from '../helpers/with-host.ts';

const warnings = ({ json }: Ended) => json.filter(({ messageType }) => messageType === 'warning');

test('a write-only host that takes the name of a host with the passphrase is told apart from it', async () => {
  using rig = await withHost();
  const named = (name: string, file: string) =>
    rig.holder('keys', 'add', '--write-only', '--name', name, '-o', file, '--json');
  for (const backup of [await rig.holder('backup'), await rig.host('backup')])
    assert.equal(backup.code, 0, backup.stderr);
  const fresh = await named('cellar', 'cellar.key');
  assert.deepEqual([fresh.json.at(-1)?.['nameTaken'], warnings(fresh).length], [false, 0]);
  const taken = await named(hostname(), 'same.key');
  assert.equal(taken.code, 0, taken.stderr);
  assert.deepEqual([taken.json.at(-1)?.['nameTaken'], warnings(taken).length], [true, 1]);

  const lines = (await rig.holder('snapshots')).stdout.trimEnd().split('\n');
  assert.match(lines[0]!, / host /);
  assert.match(lines[1]!, new RegExp(` ${hostname()} `));
  assert.doesNotMatch(lines[1]!, /write-only/);
  assert.match(lines[2]!, / attic .*\(write-only host, unverified\)/);
  assert.equal((await rig.holder('verify')).code, 0);
  assert.match((await rig.holder('snapshots')).stdout, / attic .*\(write-only host\)/);
});

test('of one host alone no column tells its name', async () => {
  using rig = await withHost();
  assert.equal((await rig.holder('backup')).code, 0);
  assert.doesNotMatch((await rig.holder('snapshots')).stdout, / host /);
});

test('a passphrase in the environment opens the store in place of a key file, and says so', async () => {
  using rig = await withHost(['keyFile: host.key']);
  const config = (await rig.holder('snapshots', '--json')) satisfies Ended;
  assert.equal(config.code, 0, config.stderr);
  assert.match(JSON.stringify(warnings(config)), /STILLPOINT_PASSPHRASE.*keyFile in .*config\.yaml/);
  writeFileSync(rig.at('pass'), 'first\n');
  const both = await rig.host('snapshots', '--json');
  assert.equal(warnings(both).length, 0);
});

test('verify goes past what needs a newer program, names it, and ends with 10', async () => {
  using rig = await withHost();
  assert.equal((await rig.holder('backup')).code, 0);
  const { snapshots } = (await rig.holder('snapshots', '--json')).json[0] as { snapshots: { id: string }[] };
  const later = readFileSync(rig.at('store', 'manifests', snapshots[0]!.id));
  const blake3 = await loadBlake3();
  later[4] = 2;
  later.set(blake3.hash(later.subarray(0, 80)).subarray(0, 16), 80);
  const object = `manifests/${'0'.repeat(64)}`;
  writeFileSync(rig.at('store', object), later);
  const ended = await rig.holder('verify', '--read-data', '--json');
  assert.equal(ended.code, 10, ended.stderr);
  const summary = ended.json.at(-1)!;
  assert.deepEqual([summary['ok'], summary['snapshots'], summary['damage']], [false, 1, []]);
  assert.deepEqual(
    (summary['newer'] as { object: string }[]).map(one => one.object),
    [object],
  );
});
