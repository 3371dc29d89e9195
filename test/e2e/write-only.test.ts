import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Ended, type Rig, runHere } from '../../bench/rig/index.ts';
import { readAttempts, runWriteOnly, type WriteOnlyResult } from '../../bench/write-only/runs.ts';
import { assertDatabasesEqual } from '../helpers/database-equal.ts';
import { assertEqualsOriginal } from '../helpers/original.ts';
import { failureOf, restoreInto, smallRig } from '../helpers/small-rig.ts';

describe('a host with a key file in place of a passphrase', () => {
  let rig: Rig;
  let shown: WriteOnlyResult;
  const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> =>
    runHere(args, { cwd: rig.folder, env: { ...rig.env, ...env } });

  before(async () => {
    rig = await smallRig({ repositories: 2, files: 60, rows: 200 });
    shown = await runWriteOnly({ rig, run, backups: 2, settleMs: 300 });
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  test('reads and stores what changed, as a host with the passphrase does', () => {
    for (const { host, twin } of shown.runs) {
      assert.equal(host.changedFiles, twin.changedFiles);
      assert.equal(host.changedSegments, twin.changedSegments);
    }
    assert.equal(shown.runs.at(-1)!.host.changedFiles, 2);
  });

  test('reads everything again without its cache, and stores nothing twice', () => {
    assert.ok(shown.withoutCache.changedFiles > 60);
    assert.equal(shown.withoutCache.newChunks, 0);
    assert.equal(shown.after.changedFiles, 0);
    assert.equal(shown.storedTwice, 0);
  });

  test('leaves snapshots that are whole for who has the passphrase', async () => {
    assert.equal((await run(['verify', '--read-data'])).code, 0);
    const target = await restoreInto(rig, 'restored');
    await assertEqualsOriginal(rig.instance, target.home);
    await assertDatabasesEqual(rig.instance.databaseUrl, target.databaseUrl);
  });

  test('can do nothing that needs reading', async () => {
    for (const { command, code } of await readAttempts({ rig, run, keyFile: shown.keyFile }))
      assert.equal(code, 12, command);
  });

  test('lists what manifests say in clear, and says what it does not know', async () => {
    const env = { STILLPOINT_KEY_FILE: shown.keyFile };
    const listed = (await run(['snapshots', '--json'], env)).json[0] as { snapshots: { sequence: number }[] };
    assert.deepEqual(
      listed.snapshots.map(({ sequence }) => sequence),
      [1, 2, 3, 4],
    );
    const status = await run(['status', '--json'], env);
    assert.equal(status.code, 0, status.stderr);
    assert.equal((status.json.at(-1)!['warnings'] as string[]).length, 1);
    assert.equal((await run(['status', '--max-age', '26h'], env)).code, 12);
  });

  test('names its key file in the configuration, and a passphrase in the environment goes before it', async () => {
    const folder = join(rig.folder, 'configured');
    mkdirSync(folder);
    const config = join(folder, 'stillpoint.yaml');
    writeFileSync(config, `store: ${rig.store}\nkeyFile: ../host.key\n`);
    const env = { STILLPOINT_CONFIG: config };
    assert.equal((await run(['ls', 'latest', '--instance', 'bitbucket'], env)).code, 12);
    const passphrase = { STILLPOINT_PASSPHRASE_FILE: join(rig.folder, 'passphrase') };
    assert.equal((await run(['ls', 'latest', '--instance', 'bitbucket'], { ...env, ...passphrase })).code, 0);
    writeFileSync(config, `store: ${rig.store}\nkeyFile: ../host.key\npassphraseFile: ../passphrase\n`);
    assert.equal((await run(['snapshots'], env)).code, 2);
  });

  test('has its snapshots kept in mind by a witness, which misses one that was taken away', async () => {
    const config = join(rig.folder, 'witnessed.yaml');
    const witness = join(rig.folder, 'witness');
    writeFileSync(config, `${readFileSync(rig.configFile, 'utf8')}\nwitness: witness\n`);
    const first = await run(['verify', '--witness', witness, '--json']);
    assert.equal(first.code, 0, first.stderr);
    const env = { STILLPOINT_CONFIG: config };
    const taken = (await run(['backup', '--json'], env)).json.at(-1);
    const newest = `manifests/${taken?.['snapshot']}`;
    assert.match(readFileSync(witness, 'utf8'), new RegExp(String(taken?.['snapshot'])));
    renameSync(join(rig.store, newest), join(rig.folder, 'taken-away'));
    const missed = await run(['verify', '--json'], env);
    assert.equal(missed.code, 20);
    const damage = missed.json.at(-1)?.['damage'] as { kind: string; object: string }[];
    assert.deepEqual(
      damage.map(({ kind, object }) => ({ kind, object })),
      // The host itself remembers it, too.
      ['manifest', 'witness'].map(kind => ({ kind, object: newest })),
    );
    const pruned = await run(['prune'], env);
    assert.equal(pruned.code, 20);
    assert.match(pruned.stderr, new RegExp(`the witness .* contradicts ${newest}`));
    renameSync(join(rig.folder, 'taken-away'), join(rig.store, newest));
    assert.equal((await run(['verify'], env)).code, 0);
  });

  test('has a key file that only its owner may read, and that nothing overwrites', async () => {
    assert.equal(statSync(shown.keyFile).mode & 0o777, 0o600);
    const again = await run([
      'keys',
      'add',
      '--write-only',
      '--name',
      'other',
      '-o',
      shown.keyFile,
      '--json',
    ]);
    assert.deepEqual(failureOf(again), { exit: 2, code: 'USAGE' });
    const renewed = await run([
      'keys',
      'add',
      '--write-only',
      '--renew',
      'host.key',
      '-o',
      'renewed.key',
      '--json',
    ]);
    assert.equal(renewed.code, 0, renewed.stderr);
    const dismissed = await run(['keys', 'remove', '--host', 'forge', '--json']);
    assert.equal(dismissed.code, 0, dismissed.stderr);
    const late = await run([
      'keys',
      'add',
      '--write-only',
      '--renew',
      'renewed.key',
      '-o',
      'late.key',
      '--json',
    ]);
    assert.deepEqual(failureOf(late), { exit: 1, code: 'STORE_HOST_REFUSED' });
  });
});
