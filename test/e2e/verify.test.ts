import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { type Ended, runHere } from '../../bench/rig/index.ts';
import { kindFromByte } from '../../store/seal/kinds.ts';
import { scratchFolder } from '../helpers/scratch.ts';
import { seededRandomness } from '../helpers/seeded.ts';
import { failureOf } from '../helpers/small-rig.ts';
import { cheapKdf } from '../helpers/stores.ts';

/** A home of two repositories in two snapshots: the second adds an object, in a pack of its own. */
async function makeBench(context: TestContext) {
  const scratch = scratchFolder();
  context.after(() => scratch[Symbol.dispose]());
  const folder = scratch.path;
  const store = join(folder, 'store');
  const random = seededRandomness('verify');
  const write = (path: string, bytes: Uint8Array | string) => {
    const file = join(folder, 'home', path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  };
  const run = (...args: string[]): Promise<Ended> => {
    const env = { STILLPOINT_PASSPHRASE: 'some words', STILLPOINT_STATE_DIR: join(folder, 'state') };
    return runHere([...args, '--config', join(folder, 'here.yaml')], { cwd: folder, env, kdf: cheapKdf });
  };
  const summary = async (...args: string[]) => {
    const { code, json, stderr } = await run(...args, '--json');
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
    return json.at(-1)!;
  };
  const backUp = async () => String((await summary('backup'))['snapshot']);
  const home = join(folder, 'home');
  const lines = ['instance: here', `store: ${store}`, `home: { path: ${home} }`, 'app: { type: none }'];
  writeFileSync(join(folder, 'here.yaml'), `${lines.join('\n')}\n`);
  for (const id of ['1', '2']) {
    const config = `[bitbucket]\n\tproject = PROJ\n\trepository = tool-${id}\n`;
    write(`shared/data/repositories/${id}/repository-config`, config);
    write(`shared/data/repositories/${id}/objects/old`, random.bytes(3_000));
  }
  await summary('init');
  const first = await backUp();
  write('shared/data/repositories/2/objects/late', random.bytes(200_000));
  const second = await backUp();
  return { store, run, summary, ids: [first, second] as const };
}

/** Turns a bit in the data pack that a snapshot brought. */
function damage(store: string, snapshot: string): string {
  const names = readdirSync(join(store, 'packs'), { recursive: true, encoding: 'utf8' });
  const name = names.find(
    one => one.includes(snapshot.slice(0, 32)) && kindFromByte(read(one)[5] ?? 0) === 'data-pack',
  );
  assert.ok(name);
  const bytes = read(name);
  bytes[1_000]! ^= 1;
  writeFileSync(join(store, 'packs', name), bytes);
  return `packs/${name}`;

  function read(one: string): Buffer {
    try {
      return readFileSync(join(store, 'packs', one));
    } catch {
      return Buffer.alloc(0); // a folder
    }
  }
}

const fieldOf = (document: Record<string, unknown> | undefined, ...names: string[]): unknown =>
  names.reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], document);

describe('verify on the command line', () => {
  test('remembers: what was read is not due, the snapshots say when they were verified', async context => {
    const { run, summary, ids } = await makeBench(context);
    const before = await summary('snapshots');
    assert.deepEqual(verifiedAt(before), [null, null]);
    const first = await summary('verify', '--max-duration', '1h');
    assert.deepEqual(fieldOf(first, 'scrub', 'read'), fieldOf(first, 'scrub', 'all'));
    assert.equal(first['noted'], true);
    const second = await summary('verify', '--max-duration', '1h');
    assert.equal(fieldOf(second, 'scrub', 'read', 'packs'), 0);
    assert.ok(Number(second['bytesRead']) < Number(first['bytesRead']));
    const again = await summary('verify', '--read-data', ids[0]);
    assert.equal(again['snapshots'], 1, 'a snapshot after --read-data is no share');
    assert.ok(Number(fieldOf(again, 'scrub', 'read', 'packs')) > 0, 'whatever was read before');
    assert.equal((await summary('verify', '--read-data=50%'))['ok'], true);
    for (const time of verifiedAt(await summary('snapshots'))) assert.match(String(time), /^2.*Z$/);
    const { stdout, stderr } = await run('verify');
    assert.equal(stderr, '');
    assert.match(stdout, /No damage in 2 snapshots/);
    const least = await summary('verify', '--read-data=0.001%');
    assert.ok(Number(fieldOf(least, 'scrub', 'read', 'packs')) > 0, 'one pack at least is read');
    const shares = ['0%', '101%', '0.5', 'abc/10', '1/10', 'some'].map(share => `--read-data=${share}`);
    for (const wrong of [...shares, '--max-duration=soon'])
      assert.deepEqual(failureOf(await run('verify', wrong, '--json')), { exit: 2, code: 'USAGE' }, wrong);
  });

  test('a named snapshot is judged by what it needs; damage is named by repository and file', async context => {
    const { store, run, summary, ids } = await makeBench(context);
    await summary('verify');
    const name = damage(store, ids[1]);
    const late = await run('verify', ids[1], '--read-data', '--json');
    assert.equal(late.code, 20);
    const [found] = fieldOf(late.json.at(-1), 'damage') as { object: string; affects: string[] }[];
    assert.equal(found!.object, name);
    assert.deepEqual(found!.affects.slice(1), [
      'repository 2 (PROJ/tool-2)',
      'shared/data/repositories/2/objects/late',
    ]);
    // It is recorded now, so a look at the structure finds it, too.
    const early = await run('verify', ids[0], '--json');
    assert.equal(early.code, 0);
    assert.deepEqual(fieldOf(early.json.at(-1), 'damage'), []);
    const elsewhere = fieldOf(early.json.at(-1), 'elsewhere') as { object: string }[];
    assert.ok(elsewhere.every(one => one.object === name));
    const all = await run('verify', '--json');
    assert.equal(all.code, 20);
    const told = (await run('verify')).stdout;
    const [lost] = /^ {2}affects snapshot [\s\S]*?objects\/late$/m.exec(told) ?? [];
    assert.deepEqual(lost?.split('\n').slice(1), [
      '    repository 2 (PROJ/tool-2)',
      '      shared/data/repositories/2/objects/late',
    ]);
    assert.match(told, /^Next: `stillpoint repair`/m);
    const [, second] = verifiedAt(await summary('snapshots'));
    assert.equal(second, null, 'it is proven no more');
  });
});

function verifiedAt(document: Record<string, unknown>): unknown[] {
  return (document['snapshots'] as { verifiedAt: unknown }[]).map(one => one.verifiedAt);
}
