import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Ended, Rig } from '../../../bench/rig/index.ts';
import type { BackupSeams, Phase } from '../../../engine/index.ts';
import {
  askHere,
  asNobody,
  assertSaved,
  backUpHere,
  configured,
  noOtherUser,
  tell,
} from '../../helpers/bad-sources.ts';
import { assertEqualHomes } from '../../helpers/home-equal.ts';
import { everyKind, isRoot, needLibc } from '../../helpers/home-tree.ts';
import { manifestsOf, smallRig } from '../../helpers/small-rig.ts';

const strace = spawnSync('strace', ['-V']).status === 0;

describe('a home that holds what is hard to read', { skip: process.platform !== 'linux' }, () => {
  let rig: Rig;
  let at: (name: string) => string;

  before(async () => {
    await needLibc(); // what is loaded later may lie where another user may not look
    rig = await smallRig({ repositories: 1, files: 0, rows: 50, log: 'off' });
    mkdirSync(join(rig.folder, 'homes'));
    at = name => join(rig.folder, 'homes', name);
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  /** A run over another home, without the database; each has snapshots of its own. */
  const over = (name: string) =>
    configured(rig, {
      instance: name,
      home: `{ path: ${JSON.stringify(at(name))} }`,
      database: '{ type: none }',
    });

  const homeOf = (ended: Ended) =>
    ended.json.at(-1)!['home'] as { files: number; changed: number; unreadable: string[] };

  const warningsOf = (ended: Ended): string =>
    ended.json
      .filter(line => line['messageType'] === 'warning')
      .map(line => line['message'])
      .join('\n');

  /** Restores the home of a snapshot and says where it is. */
  async function restored(snapshot: unknown, name: string): Promise<string> {
    const target = join(rig.folder, 'restored', name);
    const ended = await askHere(rig, ['restore', String(snapshot), '--only', 'home', '--home', target]);
    assert.equal(ended.code, 0, ended.stderr);
    return target;
  }

  async function assertSound(snapshot: unknown): Promise<void> {
    const ended = await askHere(rig, ['verify', String(snapshot), '--read-data']);
    assert.equal(ended.code, 0, ended.stdout + ended.stderr);
  }

  test('gives every kind of file back as it was: names, links, holes, devices, a path of 4,000 bytes', async context => {
    const path = at('every');
    await everyKind(path);
    writeFileSync(join(path, 'empty file'), '');
    const listening = createServer().listen(join(path, 'socket'));
    await new Promise(resolve => listening.once('listening', resolve));
    writeFileSync(Buffer.concat([Buffer.from(`${path}/`), Buffer.from('csi \x9b31m', 'latin1')]), 'c1');
    writeFileSync(join(path, 'turn \u202e round'), 'bidi');
    const ended = await backUpHere(rig, { env: over('every') });
    tell(context, {
      name: 'FIFO, socket, device',
      ended,
      more: 'made again but for sockets, which are counted',
    });
    tell(context, { name: 'name that is not UTF-8', ended, more: 'restored byte for byte' });
    tell(context, { name: 'path of 4,000 bytes', ended, more: 'restored' });
    const { snapshot } = assertSaved(ended, { rig });
    assert.match(warningsOf(ended), /sockets were skipped: .*socket/);
    listening.close();
    rmSync(join(path, 'socket'), { force: true });
    await assertEqualHomes(path, await restored(snapshot, 'every'), { ignore: [''] });
    await assertSound(snapshot);
    const listed = await rig.program(['ls', String(snapshot), '-r']);
    assert.equal(listed.code, 0);
    assert.doesNotMatch(listed.stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    // Nothing of it is read again.
    assert.equal(homeOf(await backUpHere(rig, { env: over('every') })).changed, 0);
  });

  test('names what lies beyond the longest path, and takes the rest', async context => {
    const path = at('beyond');
    mkdirSync(path);
    writeFileSync(join(path, 'near'), 'near');
    const here = process.cwd();
    process.chdir(path);
    for (let depth = 0; depth < 20; depth += 1) {
      mkdirSync('d'.repeat(250));
      process.chdir('d'.repeat(250));
    }
    writeFileSync('far', 'far');
    process.chdir(here);
    try {
      const ended = await backUpHere(rig, { env: over('beyond') });
      tell(context, { name: 'path of 4,000 bytes', ended, more: 'one beyond PATH_MAX' });
      context.diagnostic(JSON.stringify(homeOf(ended)).slice(0, 300) + warningsOf(ended).slice(-200));
      const { snapshot } = assertSaved(ended, { rig, exit: 3 });
      assert.equal(homeOf(ended).unreadable.length, 1);
      assert.match(homeOf(ended).unreadable[0]!, /ENAMETOOLONG/);
      const target = await restored(snapshot, 'beyond');
      assert.equal(statSync(join(target, 'near')).size, 4);
      await assertSound(snapshot);
    } finally {
      execFileSync('rm', ['-rf', path, join(rig.folder, 'restored', 'beyond')]);
    }
  });

  test('backs up and restores a sparse file of 1 TiB in moments, with its holes', async context => {
    const path = at('sparse');
    mkdirSync(path);
    const file = join(path, 'image');
    const fd = openSync(file, 'w');
    try {
      ftruncateSync(fd, 2 ** 40);
    } catch {
      context.skip('this file system holds no file of 1 TiB');
      return;
    }
    for (const offset of [0, 2 ** 39, 2 ** 40 - 4096])
      writeSync(fd, Buffer.alloc(4096, 'd'), 0, 4096, offset);
    closeSync(fd);
    const ended = await backUpHere(rig, { env: over('sparse') });
    tell(context, { name: 'sparse file of 1 TiB', ended, more: 'its holes are kept' });
    const { snapshot } = assertSaved(ended, { rig });
    const target = await restored(snapshot, 'sparse');
    await assertEqualHomes(path, target, { ignore: [] });
    assert.ok(statSync(join(target, 'image')).blocks < 100);
    await assertSound(snapshot);
    rmSync(target, { recursive: true });
    rmSync(file);
  });

  test('ends with 3 and the names when files vanish in the window; live it is a note', async context => {
    const path = at('vanishing');
    fill(path);
    const env = over('vanishing');
    assertSaved(await backUpHere(rig, { env }), { rig });
    const during = (phase: Phase, deed: () => void): BackupSeams => {
      let isDone = false;
      return {
        onPhase: now => {
          if (now === phase) isDone = false;
        },
        home: {
          readSeam: where => {
            if (isDone || !where.toString().endsWith('/a1')) return;
            isDone = true;
            deed();
          },
        },
      };
    };
    writeFileSync(join(path, 'a1'), 'changed');
    const live = await backUpHere(rig, {
      env,
      seams: during('pre-scan', () => unlinkSync(join(path, 'b1'))),
    });
    tell(context, { name: 'file vanishes', ended: live, more: 'live: gone from the snapshot' });
    const first = assertSaved(live, { rig });
    assert.equal((first['home'] as { files: number }).files, 19);

    // In the window: a file that is met there for the first time, and gone before it is read.
    let inWindow = false;
    const seams: BackupSeams = {
      onPhase: phase => {
        inWindow = phase === 'capture';
        if (inWindow) writeFileSync(join(path, 'a2'), 'changed again');
      },
      home: {
        statSeam: (where, stats) => {
          if (inWindow && where.toString().endsWith('/a2')) rmSync(join(path, 'a2'), { force: true });
          return stats;
        },
      },
    };
    const ended = await backUpHere(rig, { env, seams });
    tell(context, { name: 'file vanishes', ended, more: 'in the window: named' });
    const { snapshot } = assertSaved(ended, { rig, exit: 3 });
    assert.deepEqual(
      homeOf(ended).unreadable.map(text => /\/a2: vanished/.test(text)),
      [true],
    );
    assert.match(ended.stdout, /a2.*not in the snapshot/);
    await assertSound(snapshot);
    assertSaved(await backUpHere(rig, { env }), { rig });
  });

  test('takes a file that never stops growing or changing, says so, and reads it again next time', async context => {
    const path = at('restless');
    fill(path);
    const env = over('restless');
    const seams: BackupSeams = {
      home: {
        readSeam: where => {
          const name = where.toString();
          if (name.endsWith('/a1')) appendFileSync(name, 'more');
          if (name.endsWith('/a2')) writeFileSync(name, `rewritten ${performance.now()}`);
        },
      },
    };
    const ended = await backUpHere(rig, { env, seams });
    tell(context, { name: 'file changes while read', ended, more: 'named as one that kept changing' });
    assertSaved(ended, { rig });
    for (const name of ['a1', 'a2']) assert.match(warningsOf(ended), new RegExp(`/${name}: kept changing`));
    const next = await backUpHere(rig, { env });
    const summary = assertSaved(next, { rig });
    assert.equal(homeOf(next).changed, 2);
    await assertEqualHomes(path, await restored(summary['snapshot'], 'restless'), { ignore: [] });
  });

  test('ends with 3 and the names when files and folders may not be read', {
    skip: noOtherUser,
  }, async context => {
    const path = at('closed');
    fill(path);
    for (const name of ['a3', 'a4']) writeFileSync(join(path, name), 'secret');
    mkdirSync(join(path, 'vault'));
    writeFileSync(join(path, 'vault', 'inside'), 'x');
    const env = over('closed');
    const ended = await asNobody(rig, {
      except: path,
      async run() {
        return backUpHere(rig, { env });
      },
      prepare() {
        chmodSync(join(path, 'a3'), 0o600);
        chmodSync(join(path, 'a4'), 0o000);
        chmodSync(join(path, 'vault'), 0o700);
      },
    });
    tell(context, { name: 'file cannot be read', ended, more: 'EACCES: each is named' });
    assertSaved(ended, { rig, exit: 3 });
    assert.deepEqual(
      homeOf(ended)
        .unreadable.map(text => text.slice(path.length + 1))
        .sort(),
      ['a3: cannot be read (EACCES)', 'a4: cannot be read (EACCES)', 'vault: cannot be read (EACCES)'],
    );
    // Once they may be read they are in.
    const next = assertSaved(await backUpHere(rig, { env }), { rig });
    await assertEqualHomes(path, await restored(next['snapshot'], 'closed'), { ignore: [] });
  });

  test('ends with 3 and the name when the disk cannot give a file', {
    skip: strace ? false : 'strace is not installed (apt-get install strace)',
  }, async context => {
    const path = at('broken');
    fill(path);
    writeFileSync(join(path, 'a1'), 'x'.repeat(100_000));
    const ended = await rig.program(['backup', '--json'], {
      env: over('broken'),
      under: [
        'strace',
        '-f',
        '-qq',
        '-o',
        '/dev/null',
        '-P',
        join(path, 'a1'),
        '-e',
        'trace=pread64',
        '-e',
        'inject=pread64:error=EIO',
      ],
    });
    tell(context, { name: 'file cannot be read', ended, more: 'EIO: named' });
    assertSaved(ended, { rig, exit: 3 });
    assert.deepEqual(homeOf(ended).unreadable, [`${join(path, 'a1')}: cannot be read (EIO)`]);
    assertSaved(await backUpHere(rig, { env: over('broken') }), { rig });
  });

  test('follows no loop of links, and keeps hard links', async context => {
    const path = at('loops');
    fill(path);
    symlinkSync('..', join(path, 'up'));
    symlinkSync(path, join(path, 'home'));
    symlinkSync('self', join(path, 'self'));
    linkSync(join(path, 'a1'), join(path, 'a1 again'));
    const ended = await backUpHere(rig, { env: over('loops') });
    tell(context, { name: 'loop of links', ended, more: 'kept as links' });
    const { snapshot } = assertSaved(ended, { rig });
    assert.equal(homeOf(ended).files, 24);
    await assertEqualHomes(path, await restored(snapshot, 'loops'), { ignore: [] });
  });

  test('takes a file system that is mounted inside, and ends where it is mounted into itself', {
    skip: !isRoot && 'only root mounts',
  }, async context => {
    const path = at('mounts');
    fill(path);
    mkdirSync(join(path, 'volume'));
    mkdirSync(join(path, 'loop'));
    if (!mount(['-t', 'tmpfs', '-o', 'size=1m', 'none', join(path, 'volume')]))
      return context.skip('may not mount');
    try {
      writeFileSync(join(path, 'volume', 'inside'), 'on another file system');
      mount(['--bind', path, join(path, 'loop')]);
      const ended = await backUpHere(rig, { env: over('mounts') });
      tell(context, { name: 'loop of links', ended, more: 'a mount of the home inside itself' });
      const { snapshot } = assertSaved(ended, { rig });
      const target = await restored(snapshot, 'mounts');
      assert.equal(statSync(join(target, 'volume', 'inside')).size, 23 - 1);
    } finally {
      for (const name of ['loop', 'volume']) spawnSync('umount', ['-l', join(path, name)]);
    }
    return undefined;
  });

  test('takes immutable files', { skip: !isRoot && 'only root makes them' }, async context => {
    const path = at('immutable');
    fill(path);
    if (spawnSync('chattr', ['+i', join(path, 'a1')]).status !== 0)
      return context.skip('no immutable files here');
    try {
      const { snapshot } = assertSaved(await backUpHere(rig, { env: over('immutable') }), { rig });
      await assertEqualHomes(path, await restored(snapshot, 'immutable'), { ignore: [] });
    } finally {
      execFileSync('chattr', ['-i', join(path, 'a1')]);
    }
    return undefined;
  });

  test('takes what is there when a folder becomes a file, and a file a folder, before the window', async () => {
    const path = at('changing');
    fill(path);
    mkdirSync(join(path, 'folder'));
    writeFileSync(join(path, 'folder', 'inside'), 'x');
    const onPhase = (phase: Phase) => {
      if (phase !== 'drain') return;
      renameSync(join(path, 'folder'), join(path, 'moved'));
      writeFileSync(join(path, 'folder'), 'a file now');
      rmSync(join(path, 'a1'));
      mkdirSync(join(path, 'a1'));
      writeFileSync(join(path, 'a1', 'inside'), 'y');
      rmSync(join(path, 'a2'));
      symlinkSync('/etc', join(path, 'a2'));
    };
    const env = over('changing');
    const { snapshot } = assertSaved(await backUpHere(rig, { env, seams: { onPhase } }), { rig });
    await assertEqualHomes(path, await restored(snapshot, 'changing'), { ignore: [] });
    const manifests = manifestsOf(rig);
    assertSaved(await backUpHere(rig, { env }), { rig });
    assert.equal(manifestsOf(rig).length, manifests.length + 1);
  });
});

function fill(path: string): void {
  mkdirSync(path, { recursive: true });
  for (const group of ['a', 'b'])
    for (let i = 0; i < 10; i += 1) writeFileSync(join(path, `${group}${i}`), `${group}${i}`.repeat(300));
}

function mount(args: readonly string[]): boolean {
  return spawnSync('mount', args).status === 0;
}
