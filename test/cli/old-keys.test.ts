import assert from 'node:assert/strict';
import { cpSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { failureOf } from '../helpers/small-rig.ts';
import { withHost } from '../helpers/with-host.ts';

test('a host that was not renewed backs up with a warning after a rotation, and is refused once others wrote', async () => {
  using rig = await withHost();
  const before = await rig.host('backup');
  assert.equal(before.code, 0, before.stderr);
  assert.doesNotMatch(before.stderr, /--renew/);
  assert.equal((await rig.holder('keys', 'rotate')).code, 0);
  const after = await rig.host('backup');
  assert.equal(after.code, 0, after.stderr);
  assert.match(after.stderr, /keys add --write-only --renew/);
  const found = (await rig.host('doctor', '--json')).json.at(-1)?.['findings'] as Record<string, string>[];
  assert.ok(
    found.some(
      ({ check, state, remedy }) => check === 'store' && state === 'warning' && /--renew/.test(remedy!),
    ),
  );
  const dry = await rig.host('backup', '--dry-run', '--json');
  assert.deepEqual([dry.json[0]?.['parent'], dry.json[0]?.['parentKnown']], [null, false]);

  writeFileSync(rig.at('home', 'more'), 'of the new epoch\n'.repeat(50));
  assert.equal((await rig.holder('backup')).code, 0);
  const refused = await rig.host('backup', '--json');
  assert.deepEqual(failureOf(refused), { exit: 12, code: 'STORE_KEY_OLD' });
  assert.equal(
    (await rig.holder('keys', 'add', '--write-only', '--renew', 'host.key', '-o', 'new.key')).code,
    0,
  );
  renameSync(rig.at('new.key'), rig.at('host.key'));
  const renewed = await rig.host('backup');
  assert.equal(renewed.code, 0, renewed.stderr);
  assert.doesNotMatch(renewed.stderr, /--renew/);
});

test('with an old keys folder put back, commands say so and end as with damage, and the witness is told of', async () => {
  using rig = await withHost();
  cpSync(rig.at('store', 'keys'), rig.at('keys-before'), { recursive: true });
  assert.equal((await rig.holder('keys', 'rotate')).code, 0);
  assert.equal((await rig.holder('backup')).code, 0);
  assert.equal((await rig.holder('verify', '--witness', 'witness')).code, 0);
  rmSync(rig.at('store', 'keys'), { recursive: true });
  cpSync(rig.at('keys-before'), rig.at('store', 'keys'), { recursive: true });
  for (const args of [['verify'], ['repair', '--dry-run'], ['backup'], ['prune', '--dry-run']])
    assert.deepEqual(
      failureOf(await rig.holder(...args, '--json')),
      { exit: 20, code: 'STORE_KEYS_BACK' },
      args.join(' '),
    );
  assert.equal((await rig.holder('snapshots')).code, 20);
  const compared = await rig.holder('verify', '--witness', 'witness');
  assert.equal(compared.code, 20);
  assert.match(compared.stderr, /keys\/ring-3/);
});

test('a witness in the store is a mistake, wherever it was named', async () => {
  using rig = await withHost(['witness: link/witness']);
  symlinkSync(rig.at('store'), rig.at('link'));
  assert.deepEqual(failureOf(await rig.holder('verify', '--json')), { exit: 2, code: 'USAGE' });
  const named = await rig.holder('verify', '--json', '--witness', join('store', 'witness'));
  assert.deepEqual(failureOf(named), { exit: 2, code: 'USAGE' });
  const { json } = await rig.holder('doctor', '--json');
  const findings = json.at(-1)?.['findings'] as Record<string, string>[];
  assert.ok(findings.some(({ check, state }) => check === 'witness' && state === 'failed'));
  assert.equal((await rig.holder('backup')).code, 0);
});
