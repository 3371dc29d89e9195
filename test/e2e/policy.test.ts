import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { type Ended, runHere } from '../../bench/rig/index.ts';
import { beginPrune, openLocalBackend, openStore, systemSeams } from '../../store/index.ts';
import { scratchFolder } from '../helpers/scratch.ts';
import { failureOf } from '../helpers/small-rig.ts';
import { cheapKdf } from '../helpers/stores.ts';

const passphrase = 'correct horse battery staple';
const refusedManifest = { exit: 20, code: 'STORE_DAMAGED' };

interface Pruned {
  readonly id: string;
  readonly reasons: readonly string[];
}

/** A store, and homes of their own that are backed up into it: no application, no database, so that it is quick. */
interface Bench {
  readonly folder: string;
  readonly store: string;
  /** Runs the program with the configuration of an instance, or with the store alone. */
  run(instance: string | null, ...args: string[]): Promise<Ended>;
  /** As run; fails unless it ends with 0; the summary. */
  summary(instance: string | null, ...args: string[]): Promise<Record<string, unknown>>;
  backUp(instance: string, ...args: string[]): Promise<string>;
  configure(instance: string, lines?: string): void;
  ids(): Promise<string[]>;
}

async function makeBench(context: TestContext): Promise<Bench> {
  const scratch = scratchFolder();
  context.after(() => scratch[Symbol.dispose]());
  const folder = scratch.path;
  const store = join(folder, 'store');
  let written = 0;
  const run: Bench['run'] = (instance, ...args) => {
    const place = { STILLPOINT_PASSPHRASE: passphrase, STILLPOINT_STATE_DIR: join(folder, 'state') };
    const env = { ...place, STILLPOINT_CACHE_DIR: join(folder, 'cache') };
    const which = instance === null ? ['--store', store] : ['--config', join(folder, `${instance}.yaml`)];
    return runHere([...args, ...which, '--json'], { cwd: folder, env, kdf: cheapKdf });
  };
  const bench: Bench = {
    folder,
    store,
    run,
    async summary(instance, ...args) {
      const { code, json, stderr } = await run(instance, ...args);
      assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
      return json.at(-1)!;
    },
    async backUp(instance, ...args) {
      writeFileSync(join(folder, `home of ${instance}`, 'file'), `${'content '.repeat(50)} ${++written}`);
      return String((await bench.summary(instance, 'backup', ...args))['snapshot']);
    },
    configure(instance, lines = '') {
      const home = join(folder, `home of ${instance}`);
      mkdirSync(home, { recursive: true });
      writeFileSync(
        join(folder, `${instance}.yaml`),
        `instance: ${instance}\nstore: ${store}\nhome: { path: ${home} }\napp: { type: none }\n${lines}\n`,
      );
    },
    async ids() {
      const { snapshots } = await bench.summary(null, 'snapshots');
      return (snapshots as { id: string }[]).map(({ id }) => id);
    },
  };
  bench.configure('a');
  await bench.summary('a', 'init');
  return bench;
}

const idsOf = (pruned: unknown) => (pruned as Pruned[]).map(({ id }) => id);

/** Every object of the store with its length and time. */
function objects(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .map(file => `${file} ${statSync(file).size} ${statSync(file).mtimeMs}`)
    .sort();
}

describe('forget and hold', () => {
  test('what is forgotten is gone, and nothing is forgotten when one of the names is wrong', async context => {
    const bench = await makeBench(context);
    const [one, two, three] = [await bench.backUp('a'), await bench.backUp('a'), await bench.backUp('a')];
    for (const names of [
      [one, '0000'],
      [one, 'f'.repeat(64)],
      [one, 'nonsense'],
    ]) {
      assert.deepEqual(failureOf(await bench.run('a', 'forget', ...names)), {
        exit: 1,
        code: 'SNAPSHOT_UNKNOWN',
      });
    }
    assert.deepEqual(await bench.ids(), [one, two, three]);
    const { forgotten } = await bench.summary('a', 'forget', one, three.slice(0, 10), one);
    assert.deepEqual(idsOf(forgotten), [one, three]);
    assert.deepEqual(await bench.ids(), [two]);
    assert.deepEqual(failureOf(await bench.run('a', 'show', one)), { exit: 1, code: 'SNAPSHOT_UNKNOWN' });
    assert.equal(await bench.summary('a', 'show', 'latest').then(({ id }) => id), two);
    assert.deepEqual(failureOf(await bench.run('a', 'forget')), { exit: 2, code: 'USAGE' });
  });

  test('a held snapshot is forgotten by nothing until it is released', async context => {
    const bench = await makeBench(context);
    const [one, two, three] = [await bench.backUp('a'), await bench.backUp('a'), await bench.backUp('a')];
    for (const _again of [1, 2]) {
      const { snapshot, held } = await bench.summary('a', 'hold', one);
      assert.deepEqual([snapshot, held], [one, true]);
    }
    const { snapshots } = await bench.summary('a', 'snapshots');
    assert.deepEqual(
      (snapshots as { held: boolean }[]).map(({ held }) => held),
      [true, false, false],
    );
    assert.equal((await bench.summary('a', 'show', one))['held'], true);
    assert.deepEqual(failureOf(await bench.run('a', 'forget', two, one)), { exit: 1, code: 'SNAPSHOT_HELD' });
    assert.deepEqual(await bench.ids(), [one, two, three]);
    assert.equal((await bench.summary('a', 'verify'))['ok'], true);

    const { kept } = await bench.summary('a', 'prune', '--keep-last', '1');
    assert.deepEqual(kept, [
      { ...(kept as Pruned[])[0], id: one, reasons: ['hold'] },
      { ...(kept as Pruned[])[1], id: three, reasons: ['newest', 'newest verified', 'last'] },
    ]);
    assert.equal((await bench.summary('a', 'hold', one, '--release'))['held'], false);
    assert.deepEqual(idsOf((await bench.summary('a', 'prune', '--keep-last', '1'))['forgotten']), [one]);
    assert.deepEqual(await bench.ids(), [three]);
  });
});

describe('prune', () => {
  test('by flags, else by the configuration, else nothing is forgotten', async context => {
    const bench = await makeBench(context);
    const all: string[] = [];
    for (const tag of ['x', 'y', 'x', 'y', 'z']) all.push(await bench.backUp('a', '--tag', tag));
    for (const args of [[], ['--keep-last', '0'], ['--keep-daily', '0', '--keep-yearly', '0']]) {
      const { kept, forgotten } = await bench.summary('a', 'prune', ...args);
      assert.deepEqual([idsOf(kept), forgotten], [all, []]);
      assert.deepEqual((kept as Pruned[])[0]?.reasons, ['no policy']);
    }
    bench.configure('a', 'retention: { timeZone: Europe/Berlin, keepLast: 3 }');
    const rules = ['--keep-last', '1', '--keep-tag', 'x', '--keep-tag', 'z'];
    const { kept } = await bench.summary('a', 'prune', ...rules, '--dry-run');
    assert.deepEqual(idsOf(kept), [all[0], all[2], all[4]]);
    const { forgotten } = await bench.summary('a', 'prune');
    assert.deepEqual(idsOf(forgotten), all.slice(0, 2));
    assert.deepEqual(await bench.ids(), all.slice(2));
    const day = (await bench.summary('a', 'prune', '--keep-daily', '1', '--keep-within', '0.001s'))['kept'];
    assert.deepEqual(idsOf(day), all.slice(4));
    assert.match((day as Pruned[])[0]!.reasons.join(), /^newest,daily \d{4}-\d\d-\d\d,within 1ms$/);
  });

  test('a dry run says what would be, locks nothing and writes nothing', async context => {
    const bench = await makeBench(context);
    for (let n = 0; n < 4; n++) await bench.backUp('a');
    const before = objects(bench.store);
    const dry = await bench.summary('a', 'prune', '--keep-last', '2', '--dry-run');
    assert.deepEqual(objects(bench.store), before);
    const wet = await bench.summary('a', 'prune', '--keep-last', '2');
    assert.deepEqual({ ...wet, dryRun: true }, dry);
    assert.ok(Number(wet['freedBytes']) > 0);
    assert.equal((wet['forgotten'] as unknown[]).length, 2);
  });

  test('what is no count or duration is a usage error, before the store is opened', async context => {
    const bench = await makeBench(context);
    for (const args of [
      ['--keep-last', '-1'],
      ['--keep-daily', 'many'],
      ['--keep-weekly', '1.5'],
      ['--keep-within', '7'],
      ['--keep-within', '6mo'],
      ['--keep-last'],
      ['--keep-tag', ''],
    ])
      assert.deepEqual(
        failureOf(await bench.run('a', 'prune', ...args)),
        { exit: 2, code: 'USAGE' },
        args.join(' '),
      );
    const untagged = await bench.run('a', 'backup', '--tag', '');
    assert.deepEqual(failureOf(untagged), { exit: 2, code: 'USAGE' });
    const minutes = await bench.run('a', 'prune', '--keep-within', '6m', '--dry-run');
    assert.equal(minutes.json[0]?.['messageType'], 'warning');
  });

  test('a manifest that cannot be read stops it before anything is forgotten, and can be forgotten', async context => {
    const bench = await makeBench(context);
    const all = [await bench.backUp('a'), await bench.backUp('a'), await bench.backUp('a')];
    const file = join(bench.store, 'manifests', all[1]!);
    const bytes = readFileSync(file);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(file, bytes);
    const before = objects(join(bench.store, 'packs'));
    for (const args of [['--keep-last', '1'], ['--keep-last', '1', '--dry-run'], []])
      assert.deepEqual(failureOf(await bench.run('a', 'prune', ...args)), refusedManifest);
    assert.deepEqual(objects(join(bench.store, 'packs')), before);
    assert.equal(readdirSync(join(bench.store, 'manifests')).length, 3);

    await bench.summary('a', 'forget', all[1]!.slice(0, 12));
    assert.deepEqual(idsOf((await bench.summary('a', 'prune', '--keep-last', '1'))['kept']), [all[2]]);
  });

  test('beside another prune it is 11, and nothing is forgotten', async context => {
    const bench = await makeBench(context);
    const all = [await bench.backUp('a'), await bench.backUp('a')];
    const store = await openStore(await openLocalBackend(bench.store), { passphrase, seams: systemSeams });
    const session = await beginPrune(store, { host: 'elsewhere' });
    try {
      const refused = await bench.run('a', 'prune', '--keep-last', '1');
      assert.deepEqual(failureOf(refused), { exit: 11, code: 'STORE_LOCKED' });
      assert.deepEqual(await bench.ids(), all);
      const { forgotten } = await bench.summary('a', 'prune', '--keep-last', '1', '--dry-run');
      assert.deepEqual(idsOf(forgotten), all.slice(0, 1));
    } finally {
      await session[Symbol.asyncDispose]();
      await store.close();
    }
    assert.deepEqual(
      idsOf((await bench.summary('a', 'prune', '--keep-last', '1'))['forgotten']),
      all.slice(0, 1),
    );
  });

  test('people get a table with a reason for each snapshot', async context => {
    const bench = await makeBench(context);
    const [one, two] = [await bench.backUp('a'), await bench.backUp('a')];
    await bench.summary('a', 'hold', one);
    const three = await bench.backUp('a');
    const env = { STILLPOINT_PASSPHRASE: passphrase };
    const { stdout, stderr } = await runHere(
      ['prune', '--store', bench.store, '--keep-last', '1', '--dry-run'],
      {
        cwd: bench.folder,
        env,
      },
    );
    assert.equal(stderr, '');
    const line = (id: string) => stdout.split('\n').find(text => text.startsWith(id.slice(0, 8)));
    assert.match(line(one)!, /keep +hold$/);
    assert.match(line(two)!, /forget +no rule keeps it$/);
    assert.match(line(three)!, /keep +newest, last$/);
    assert.match(stdout, /2 snapshots kept, 1 would be forgotten; .* would be freed/);
    const forgot = await runHere(['forget', two, '--store', bench.store], { cwd: bench.folder, env });
    assert.match(forgot.stdout, /stillpoint prune/);
  });
});

describe('several instances in one store', () => {
  test('never influence each other: latest, parent and retention are of one', async context => {
    const bench = await makeBench(context);
    bench.configure('b', 'retention: { keepLast: 2 }');
    const taken = { a: [] as string[], b: [] as string[] };
    const parents: unknown[] = [];
    for (let round = 0; round < 4; round++) {
      for (const instance of ['a', 'b'] as const) {
        const id = await bench.backUp(instance);
        parents.push((await bench.summary(null, 'show', id))['parent']);
        taken[instance].push(id);
      }
    }
    const { a, b } = taken;
    assert.deepEqual(parents, [null, null, a[0], b[0], a[1], b[1], a[2], b[2]]);
    assert.deepEqual(failureOf(await bench.run(null, 'show', 'latest')), {
      exit: 2,
      code: 'SNAPSHOT_AMBIGUOUS',
    });
    assert.equal((await bench.summary(null, 'show', 'latest', '--instance', 'a'))['id'], a[3]);
    assert.equal((await bench.summary('b', 'show', 'latest'))['id'], b[3]);

    // The configuration's retention is its instance's alone.
    const own = await bench.summary('b', 'prune');
    assert.deepEqual(idsOf(own['forgotten']), [b[0], b[1]]);
    const others = (own['kept'] as Pruned[]).filter(({ id }) => a.includes(id));
    assert.deepEqual(
      others.map(({ reasons }) => reasons),
      a.map(() => ['another instance']),
    );
    const refused = await bench.run('b', 'prune', '--instance', 'a');
    assert.deepEqual(failureOf(refused), { exit: 2, code: 'USAGE' });
    assert.deepEqual(await bench.ids(), [a[0], a[1], a[2], b[2], a[3], b[3]]);

    // With the store alone, flags are for each instance by itself, or for the one that is named.
    const named = await bench.summary(null, 'prune', '--keep-last', '1', '--instance', 'b', '--dry-run');
    assert.deepEqual(idsOf(named['forgotten']), [b[2]]);
    const each = await bench.summary(null, 'prune', '--keep-last', '1');
    assert.deepEqual(idsOf(each['forgotten']), [a[0], a[1], a[2], b[2]]);
    assert.deepEqual(await bench.ids(), [a[3], b[3]]);
    assert.equal((await bench.summary(null, 'verify', '--read-data'))['ok'], true);
  });
});
