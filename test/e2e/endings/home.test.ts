import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Rig } from '../../../bench/rig/index.ts';
import type { BackupSeams, Phase } from '../../../engine/index.ts';
import {
  asNobody,
  assertFailed,
  assertSaved,
  backUpHere,
  configured,
  noOtherUser,
  tell,
} from '../../helpers/bad-sources.ts';
import type { CaseName } from '../../helpers/cases.ts';
import { errorOf } from '../../helpers/endings.ts';
import { manifestsOf, smallRig } from '../../helpers/small-rig.ts';

describe('a home that cannot be backed up as it is', { skip: process.platform !== 'linux' }, () => {
  let rig: Rig;
  let at: (name: string) => string;

  before(async () => {
    rig = await smallRig({ repositories: 1, files: 0, rows: 50, log: 'off' });
    mkdirSync(join(rig.folder, 'homes'));
    at = name => join(rig.folder, 'homes', name);
    fill(at('good'));
    assertSaved(await backUpHere(rig, { env: over(at('good')) }), { rig });
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  /** A run over another home, without the database. */
  const over = (path: string, instance = 'bitbucket') =>
    configured(rig, { instance, home: `{ path: ${JSON.stringify(path)} }`, database: '{ type: none }' });

  const refusals: readonly [name: CaseName, what: string, make: (path: string) => void, named: RegExp][] = [
    ['home missing', 'nothing there', () => {}, /ENOENT/],
    ['home missing', 'a link to nowhere', path => symlinkSync('/nonexistent/home', path), /ENOENT/],
    ['home missing', 'a link to itself', path => symlinkSync(path, path), /ELOOP/],
    ['home a file', 'a file', path => writeFileSync(path, 'x'), /not a folder/],
    [
      'home a file',
      'below a file',
      path => writeFileSync(path.slice(0, path.lastIndexOf('/')), 'x'),
      /ENOTDIR/,
    ],
  ];
  for (const [i, [name, what, make, named]] of refusals.entries()) {
    test(`refuses a home that is ${what}, before the lock`, async context => {
      const path = what === 'below a file' ? join(at(`bad${i}`), 'home') : at(`bad${i}`);
      make(path);
      const manifests = manifestsOf(rig);
      const latches = rig.instance.latches.length;
      const ended = await backUpHere(rig, { env: over(path) });
      tell(context, { name, ended, more: what });
      assertFailed(ended, { rig, code: 'HOME_UNREADABLE', manifests });
      assert.match(errorOf(ended).message, named);
      assert.ok(errorOf(ended).message.includes(path));
      assert.equal(rig.instance.latches.length, latches);
      rmSync(at(`bad${i}`), { force: true });
    });
  }

  test('refuses a home that this user may not read, and says who may', {
    skip: noOtherUser,
  }, async context => {
    mkdirSync(at('closed'), { mode: 0o700 });
    fill(at('closed'));
    const manifests = manifestsOf(rig);
    const env = over(at('closed'));
    const ended = await asNobody(rig, { except: at('closed'), run: () => backUpHere(rig, { env }) });
    tell(context, { name: 'home missing', ended, more: 'may not be read' });
    assertFailed(ended, { rig, code: 'HOME_UNREADABLE', manifests });
    assert.match(errorOf(ended).message, /EACCES/);
    assert.match(errorOf(ended).remedy, /user who may read/);
  });

  test('refuses a home on NFS before the lock, unless its answers are asked for again', async context => {
    const manifests = manifestsOf(rig);
    const seams: BackupSeams = {
      home: { fileSystemSeam: (_path, facts) => ({ ...facts, type: 'nfs', cached: true }) },
    };
    const ended = await backUpHere(rig, { env: over(at('good'), 'nfs'), seams });
    tell(context, { name: 'home on NFS', ended });
    assertFailed(ended, { rig, code: 'HOME_UNREADABLE', manifests });
    assert.match(errorOf(ended).remedy, /noac|networkHome/);
    const reread = configured(rig, {
      instance: 'nfs',
      home: `{ path: ${at('good')}, networkHome: reread }`,
      database: '{ type: none }',
    });
    const again = await backUpHere(rig, { env: reread, seams });
    tell(context, { name: 'home on NFS', ended: again, more: 'networkHome: reread' });
    assertSaved(again, { rig });
  });

  test('takes an empty home that was never anything else', async () => {
    mkdirSync(at('empty'));
    const summary = assertSaved(await backUpHere(rig, { env: over(at('empty'), 'empty') }), { rig });
    assert.equal((summary['home'] as { files: number }).files, 0);
  });

  test('refuses a home that is an empty mount point since the snapshot before', async context => {
    const path = at('mounted');
    fill(path);
    const env = over(path, 'mounted');
    assertSaved(await backUpHere(rig, { env }), { rig });
    const latches = rig.instance.latches.length;
    renameSync(path, at('volume'));
    for (const [what, files] of [
      ['a mount point without its volume', 0],
      ['a mount point in which the application has begun anew', 8],
    ] as const) {
      fill(path, files);
      const manifests = manifestsOf(rig);
      const ended = await backUpHere(rig, { env });
      tell(context, { name: 'home missing', ended, more: what });
      assertFailed(ended, { rig, code: 'HOME_UNREADABLE', manifests });
      assert.match(errorOf(ended).remedy, /volume is mounted/);
      assert.equal(rig.instance.latches.length, latches, 'not even locked');
    }
    // Who means it says so.
    assertSaved(await backUpHere(rig, { env: over(path, 'mounted anew') }), { rig });
    rmSync(path, { recursive: true });
    renameSync(at('volume'), path);
    assertSaved(await backUpHere(rig, { env }), { rig });
  });

  test('warns when most of a home is gone that is still the same folder', async () => {
    const env = over(at('shrinking'), 'shrinking');
    fill(at('shrinking'));
    assertSaved(await backUpHere(rig, { env }), { rig });
    for (let i = 0; i < 190; i += 1) rmSync(join(at('shrinking'), 'shared', `file${i}`));
    const ended = await backUpHere(rig, { env });
    assertSaved(ended, { rig });
    assert.match(ended.stdout, /"messageType":"warning".*Much is gone/);
    rmSync(join(at('shrinking'), 'shared', 'file199'));
    const again = await backUpHere(rig, { env });
    assertSaved(again, { rig });
    assert.doesNotMatch(again.stdout, /Much is gone/);
  });

  for (const phase of ['lock', 'capture'] as const) {
    test(`unlocks and refuses when the volume goes away at ${phase}`, async context => {
      const path = at(`going-${phase}`);
      fill(path);
      const env = over(path, phase);
      const manifests = manifestsOf(rig);
      const onPhase = (now: Phase) => {
        if (now !== phase) return;
        renameSync(path, `${path}-away`);
        if (phase === 'capture') mkdirSync(path);
      };
      const ended = await backUpHere(rig, { env, seams: { onPhase } });
      tell(context, { name: 'home missing', ended, more: `gone at ${phase}` });
      assertFailed(ended, { rig, code: 'HOME_UNREADABLE', manifests });
      rmSync(path, { recursive: true, force: true });
      renameSync(`${path}-away`, path);
      assertSaved(await backUpHere(rig, { env }), { rig });
    });
  }
});

function fill(path: string, files = 200): void {
  mkdirSync(join(path, ...(files > 0 ? ['shared'] : [])), { recursive: true });
  for (let i = 0; i < files; i += 1) writeFileSync(join(path, 'shared', `file${i}`), `content ${i}`);
}
