import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Ended, Rig } from '../../bench/rig/index.ts';
import { openLocalBackend, openStore, storeError, systemSeams } from '../../store/index.ts';
import { kindFromByte } from '../../store/seal/kinds.ts';
import {
  assertDescriptionsEqual,
  type DatabaseDescription,
  describeDatabase,
} from '../helpers/database-equal.ts';
import { observedBackend } from '../helpers/faulty-backend.ts';
import { assertEqualsOriginal } from '../helpers/original.ts';
import { failureOf, restoreArguments, smallRig } from '../helpers/small-rig.ts';

/** Every kind of object that a store of this version holds after a backup and a run that died. */
const kinds = [
  ...['config', 'slot', 'ring', 'data-pack', 'metadata-pack', 'index', 'manifest', 'session', 'intent'],
] as const;
/** Without these the store does not open. */
const needed: readonly string[] = ['config', 'slot', 'ring'];

describe('a byte of the store that is not what it was', () => {
  let rig: Rig;
  let original: DatabaseDescription;

  before(async () => {
    rig = await smallRig({ repositories: 2, files: 40, rows: 200, inProcess: true });
    original = await describeDatabase(rig.instance.databaseUrl);
    for (let run = 1; run <= 2; run++) await rig.summary(['backup', '--json']);
    await leaveSessionAndIntent(rig);
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  for (const kind of kinds) {
    for (const place of ['first third', 'end'] as const) {
      test(`in the ${place} of an object of kind ${kind}: verify names it, restore gives back no wrong byte`, async () => {
        const [name] = namesOf(rig.store, kind);
        assert.ok(name, 'the store holds one');
        const unflip = flip(join(rig.store, name), place);
        try {
          const verified = await rig.program(['verify', '--read-data', '--json']);
          assert.equal(verified.code, 20);
          const affects = namedDamage(verified, kind).get(name);
          assert.ok(affects, `${name} is named: ${verified.stdout}${verified.stderr}`);
          const isLost = kind === 'manifest' || (kind.endsWith('pack') && place !== 'end');
          assert.equal(affects.length > 0, isLost, 'what is lost with it is named, and nothing else');
          await restoresTruly(`${kind}-${place.slice(0, 3)}`);
        } finally {
          unflip();
        }
      });
    }
  }

  test('in a manifest: the other snapshots can still be listed and restored by their ids', async () => {
    const [damaged, other] = namesOf(rig.store, 'manifest').map(name => name.slice('manifests/'.length));
    assert.ok(damaged && other);
    const unflip = flip(join(rig.store, 'manifests', damaged), 'end');
    try {
      const { code, json } = await rig.program(['snapshots', '--json']);
      const listed = json[0] as Record<'snapshots' | 'damaged', { id: string }[]>;
      assert.deepEqual([code, listed.snapshots.map(({ id }) => id)], [20, [other]]);
      assert.deepEqual(
        listed.damaged.map(({ id }) => id),
        [damaged],
      );
      await restoresTruly('other', { snapshot: other, exit: 0 });
    } finally {
      unflip();
    }
  });

  test('the store is whole again when every flip was undone', async () => {
    const { ok } = await rig.summary(['verify', '--read-data', '--json']);
    assert.equal(ok, true);
    await restoresTruly('whole', { exit: 0 });
  });

  /** What a restore leaves without the mark of an unfinished one equals the original. */
  async function restoresTruly(
    name: string,
    { snapshot, exit }: { readonly snapshot?: string; readonly exit?: number } = {},
  ): Promise<void> {
    const target = rig.target(name);
    const ended = await rig.program([...restoreArguments(target, snapshot), '--json']);
    if (exit !== undefined) assert.equal(ended.code, exit);
    if (ended.code !== 0) assert.deepEqual(failureOf(ended), { exit: 20, code: 'STORE_DAMAGED' });
    const isMarked = existsSync(join(target.home, '.stillpoint-restore-unfinished'));
    assert.ok(!(isMarked && ended.code === 0));
    // Each backup looks at the clock of the home's file system, which gives the home's own folder a new time.
    if (existsSync(target.home) && !isMarked)
      await assertEqualsOriginal(rig.instance, target.home, { rootTimes: false });
    if (ended.code === 0) assertDescriptionsEqual(original, await describeDatabase(target.databaseUrl));
  }
});

/** A run that dies in its commit, when nothing can be removed any more. */
async function leaveSessionAndIntent(rig: Rig): Promise<void> {
  const error = storeError('STORE_WRITE_FAILED', 'Cannot write: the disk is gone');
  const backend = observedBackend(await openLocalBackend(rig.store), ({ operation, name }) =>
    operation === 'delete' || (operation === 'put' && name.startsWith('manifests/'))
      ? { when: 'before', error }
      : undefined,
  );
  const passphrase = readFileSync(join(rig.folder, 'passphrase'), 'utf8').trim();
  await using store = await openStore(backend, { passphrase, seams: systemSeams });
  await using session = await store.beginBackup({ host: 'dies' });
  await assert.rejects(session.commit({ roots: [], body: 'never' }), { code: 'STORE_WRITE_FAILED' });
}

/** The largest first. */
function namesOf(store: string, kind: (typeof kinds)[number]): string[] {
  return (
    readdirSync(store, { recursive: true, withFileTypes: true })
      // What is set aside on the disk is no object, and its random bytes may look like any kind.
      .filter(entry => entry.isFile() && !entry.name.startsWith('.'))
      .map(entry => join(entry.parentPath, entry.name))
      .filter(file => kindOf(relative(store, file), file) === kind)
      .sort((a, b) => statSync(b).size - statSync(a).size)
      .map(file => relative(store, file))
  );
}

function kindOf(name: string, file: string): string | undefined {
  if (name === 'config') return 'config';
  if (/^keys\/[0-9a-f]+$/.test(name)) return 'slot';
  return kindFromByte(readFileSync(file)[5] ?? 0);
}

function flip(file: string, place: 'first third' | 'end'): () => void {
  const bytes = readFileSync(file);
  const flipped = Buffer.from(bytes);
  const at = place === 'end' ? bytes.length - 10 : Math.floor(bytes.length / 3);
  flipped[at]! ^= 0x10;
  writeFileSync(file, flipped);
  return () => writeFileSync(file, bytes);
}

/** The objects that a failed verification names, with what they take with them. */
function namedDamage(ended: Ended, kind: string): Map<string, readonly string[]> {
  if (needed.includes(kind)) {
    assert.equal(failureOf(ended).code, 'STORE_DAMAGED');
    return new Map((ended.stderr.match(/\b(config|keys\/[\w-]+)/g) ?? []).map(name => [name, []]));
  }
  const { ok, damage } = ended.json.at(-1) ?? {};
  assert.equal(ok, false);
  return new Map(
    (damage as { object: string; affects: string[] }[]).map(({ object, affects }) => [object, affects]),
  );
}
