import assert from 'node:assert/strict';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Rig } from '../../bench/rig/index.ts';
import { assertDatabasesEqual } from '../helpers/database-equal.ts';
import { assertEqualsOriginal } from '../helpers/original.ts';
import { backUpAndStopAt, failureOf, manifestsOf, restoreInto, smallRig } from '../helpers/small-rig.ts';

/** Longer than the margin within which a file that was just written is not trusted. */
const settleMs = 300;
/** Large objects that the application's role may only ask for one by one. */
const lookedAtAnyway = 1;
const settled = () => new Promise(resolve => setTimeout(resolve, settleMs));

interface Summary {
  readonly snapshot: string;
  readonly parent: string | null;
  readonly home: { readonly files: number; readonly changed: number };
  readonly database: { readonly segments: number; readonly changedSegments: number };
  readonly stored: { readonly newChunks: number; readonly packedBytes: number };
  readonly latch: { readonly heldMs: number; readonly forecastMs: number };
}

async function backUp(rig: Rig, ...args: string[]): Promise<Summary> {
  return (await rig.summary(['backup', '--json', ...args])) as unknown as Summary;
}

function objectsOf(rig: Rig): string[] {
  return readdirSync(rig.store, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(rig.store.length + 1))
    .sort();
}

describe('a backup of what did not change', () => {
  let rig: Rig;
  let last: Summary;
  const cache = () => join(rig.folder, 'cache');

  before(async () => {
    rig = await smallRig({ inProcess: true });
    rig.instance.setLog('off');
    await settled();
    last = await backUp(rig);
    await settled();
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  /** Backs up; nothing may be read or stored, and what is restored from it equals the original. */
  async function assertNothingStored(): Promise<void> {
    const objects = objectsOf(rig);
    const parent = last.snapshot;
    last = await backUp(rig);
    assert.equal(last.parent, parent);
    assert.equal(last.home.changed, 0);
    assert.ok(last.database.changedSegments <= lookedAtAnyway);
    assert.equal(last.stored.newChunks, 0);
    assert.deepEqual(objectsOf(rig), [...objects, `manifests/${last.snapshot}`].sort());
  }

  async function assertRestores(name: string): Promise<void> {
    const { home, databaseUrl } = await restoreInto(rig, name);
    await assertEqualsOriginal(rig.instance, home);
    await assertDatabasesEqual(rig.instance.databaseUrl, databaseUrl);
    last = await backUp(rig); // the server has one more database now, which its catalogs say
  }

  test('makes one manifest and nothing else', async () => {
    await assertNothingStored();
    await assertRestores('unchanged');
  });

  test('says in a dry run that there is nothing to read, and writes nothing', async () => {
    const objects = objectsOf(rig);
    const latches = rig.instance.latches.length;
    rmSync(cache(), { recursive: true });
    const found = await rig.summary(['backup', '--dry-run', '--json']);
    assert.equal(found['dryRun'], true);
    assert.equal((found['home'] as { changed: number }).changed, 0);
    assert.ok((found['database'] as { changedSegments: number }).changedSegments <= lookedAtAnyway);
    assert.deepEqual(objectsOf(rig), objects);
    assert.equal(rig.instance.latches.length, latches);
    assert.equal(existsSync(cache()), false);
  });

  test('needs no cache: without one it reads the store', async () => {
    rmSync(cache(), { recursive: true, force: true });
    await assertNothingStored();
    assert.ok(existsSync(cache()));
  });

  test('is right with a damaged cache', async () => {
    const files = readdirSync(cache(), { recursive: true, withFileTypes: true }).filter(entry =>
      entry.isFile(),
    );
    for (const { parentPath, name } of files) {
      const file = join(parentPath, name);
      writeFileSync(
        file,
        readFileSync(file).map(byte => byte ^ 1),
      );
    }
    await assertNothingStored();
    for (const { parentPath, name } of files)
      if (existsSync(join(parentPath, name))) truncateSync(join(parentPath, name), 5);
    await assertNothingStored();
    await assertRestores('damaged');
  });

  test('is right with the cache of another store in its place', async () => {
    const [own] = readdirSync(cache());
    await rig.summary(['init', '--json', '--store', join(rig.folder, 'second')]);
    await rig.summary(['backup', '--json', '--store', join(rig.folder, 'second')]);
    const other = readdirSync(cache()).find(name => name !== own);
    rmSync(join(cache(), own!), { recursive: true });
    cpSync(join(cache(), other!), join(cache(), own!), { recursive: true });
    await assertNothingStored();
    await assertRestores('other');
  });

  test('is right with a cache of before', async () => {
    const old = join(rig.folder, 'old-cache');
    cpSync(cache(), old, { recursive: true });
    writeFileSync(join(rig.instance.home, 'shared', 'new-file'), 'new');
    await settled();
    last = await backUp(rig);
    assert.equal(last.home.changed, 1);
    await settled();
    rmSync(cache(), { recursive: true });
    cpSync(old, cache(), { recursive: true });
    await assertNothingStored();
    await assertRestores('before');
  });
});

describe('the latch of a backup', () => {
  let rig: Rig;

  before(async () => {
    rig = await smallRig({ inProcess: true });
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  test('ends with --hold-until durable when all that the snapshot needs is in the store', async () => {
    const program = await backUpAndStopAt(rig, 'unlock', { args: ['--hold-until', 'durable'] });
    const objects = objectsOf(rig);
    program.tell('go on');
    const ended = await program.ended;
    assert.equal(ended.code, 0, ended.stderr);
    const snapshot = String(ended.json.at(-1)?.['snapshot']);
    const made = objectsOf(rig).filter(name => !objects.includes(name));
    assert.deepEqual(made, [`manifests/${snapshot}`]);
  });

  test('is refused before the lock when the forecast is over the budget', async () => {
    const well = rig.instance.faults.add({ route: 'lock', misbehave: { kind: 'delay', ms: 1_200 } });
    await backUp(rig);
    well();
    const file = join(rig.folder, 'impatient.yaml');
    writeFileSync(file, `${readFileSync(rig.configFile, 'utf8')}\nlatch: { maxHold: 1s }\n`);
    const [latches, manifests] = [rig.instance.latches.length, manifestsOf(rig)];
    const ended = await rig.program(['backup', '--json'], { env: { STILLPOINT_CONFIG: file } });
    assert.deepEqual(failureOf(ended), { exit: 1, code: 'LATCH_OVERRUN' });
    assert.equal(rig.instance.latches.length, latches);
    assert.deepEqual(manifestsOf(rig), manifests);
  });

  test('waits with --wait for somebody else’s lock to end, and without it does not', async () => {
    const { url, admin } = rig.instance;
    const headers = {
      Authorization: `Basic ${btoa(`${admin.user}:${admin.password}`)}`,
      Accept: 'application/json',
    };
    const locked = await fetch(`${url}/mvc/maintenance/lock`, { method: 'POST', headers });
    const { unlockToken } = (await locked.json()) as { unlockToken: string };
    assert.deepEqual(failureOf(await rig.program(['backup', '--json'])), { exit: 11, code: 'APP_LOCKED' });
    const short = await rig.program(['backup', '--json', '--wait', '1s']);
    assert.deepEqual(failureOf(short), { exit: 11, code: 'APP_LOCKED' });
    const waiting = rig.program(['backup', '--json', '--wait', '1m']);
    await new Promise(resolve => setTimeout(resolve, 2_000));
    await fetch(`${url}/mvc/maintenance/lock?token=${unlockToken}`, { method: 'DELETE', headers });
    assert.equal((await waiting).code, 0);
  });

  test('waits with --wait for another run of the instance', async () => {
    const first = await backUpAndStopAt(rig, 'pre-scan');
    assert.deepEqual(failureOf(await rig.program(['backup', '--json'])), { exit: 11, code: 'RUN_ACTIVE' });
    const second = rig.program(['backup', '--json', '--wait', '1m']);
    await new Promise(resolve => setTimeout(resolve, 1_000));
    first.tell('go on');
    assert.equal((await first.ended).code, 0);
    const { code, json } = await second;
    assert.equal(code, 0);
    assert.equal(json.at(-1)?.['parent'], (await first.ended).json.at(-1)?.['snapshot']);
  });

  test('a duration that is none is a usage error', async () => {
    const ended = await rig.program(['backup', '--json', '--wait', 'long']);
    assert.deepEqual(failureOf(ended), { exit: 2, code: 'USAGE' });
  });
});
