import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import {
  checkDataStores,
  checkMountFree,
  checkStillThere,
  checkTaken,
  checkVolumesBelow,
} from '../../../engine/view/checks.ts';
import { mountsRefused } from '../../helpers/mounts.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

const scratch = scratchFolder();
const [home, mount] = [`${scratch.path}/home`, `${scratch.path}/view`];

before(() => {
  mkdirSync(`${home}/shared/data`, { recursive: true });
  writeFileSync(`${home}/file`, 'x');
});
after(() => scratch[Symbol.dispose]());

const unreadable = { code: 'HOME_UNREADABLE' };
const makeView = () => execFileSync('cp', ['-a', home, mount]);
const dropView = () => rmSync(mount, { recursive: true, force: true });

test('what is where a view will be is no view: only nothing, or an empty folder, may be there', async () => {
  await checkMountFree(mount, []);
  mkdirSync(mount);
  await checkMountFree(mount, []);
  writeFileSync(`${mount}/stale`, '');
  await assert.rejects(checkMountFree(mount, ['umount it']), error => {
    assert.equal((error as { code: string }).code, 'HOME_UNREADABLE');
    assert.match((error as { remedy: string }).remedy, /umount it/);
    return true;
  });
  dropView();
  writeFileSync(mount, '');
  await assert.rejects(checkMountFree(mount, []), unreadable);
  dropView();
});

test('a view is a folder that holds something, and not the home by another name', async () => {
  await assert.rejects(checkTaken(mount, home), unreadable, 'nothing');
  mkdirSync(mount);
  await assert.rejects(checkTaken(mount, home), unreadable, 'empty');
  dropView();
  writeFileSync(mount, '');
  await assert.rejects(checkTaken(mount, home), unreadable, 'a file');
  dropView();
  symlinkSync(home, mount);
  await assert.rejects(checkTaken(mount, home), unreadable, 'a link to the home');
  dropView();
  makeView();
  await checkTaken(mount, home);
  dropView();
});

test('a view that another folder has replaced is not read on', async () => {
  makeView();
  const taken = await checkTaken(mount, home);
  await checkStillThere(mount, taken);
  execFileSync('mv', [mount, `${mount}.old`]);
  await assert.rejects(checkStillThere(mount, taken), unreadable);
  mkdirSync(mount);
  await assert.rejects(checkStillThere(mount, taken), unreadable);
  dropView();
  rmSync(`${mount}.old`, { recursive: true });
});

test('data stores in the home are part of its view; others cannot be, also behind a link', async () => {
  mkdirSync(`${scratch.path}/elsewhere`, { recursive: true });
  symlinkSync(`${scratch.path}/elsewhere`, `${home}/shared/linked`);
  await checkDataStores({ root: home, dataStores: [`${home}/shared/data`, `${home}/shared/d*`] });
  const refused = { code: 'CONFIG_INVALID' };
  await assert.rejects(checkDataStores({ root: home, dataStores: [`${scratch.path}/elsewhere`] }), refused);
  await assert.rejects(checkDataStores({ root: home, dataStores: [`${home}/shared/linked`] }), refused);
  rmSync(`${home}/shared/linked`);
});

test('a volume below the home that the view lacks is refused, unless it is left out', {
  skip: mountsRefused,
}, async () => {
  makeView();
  const volume = `${home}/shared/data`;
  execFileSync('mount', ['-t', 'tmpfs', 'none', volume]);
  try {
    await checkVolumesBelow(mount, { root: home });
    writeFileSync(`${volume}/attachment`, 'x');
    await assert.rejects(checkVolumesBelow(mount, { root: home }), unreadable);
    await checkVolumesBelow(mount, { root: home, exclude: ['/shared/'] });
    writeFileSync(`${mount}/shared/data/attachment`, 'x');
    await checkVolumesBelow(mount, { root: home });
  } finally {
    execFileSync('umount', [volume]);
    dropView();
  }
});

test('the home mounted at a second place is no view of it', { skip: mountsRefused }, async () => {
  mkdirSync(mount);
  execFileSync('mount', ['--bind', home, mount]);
  try {
    await assert.rejects(checkTaken(mount, home), unreadable);
  } finally {
    execFileSync('umount', [mount]);
    dropView();
  }
});

test('a view below the home is not taken for a volume that is missing in it', {
  skip: mountsRefused,
}, async () => {
  const below = `${home}/.view`;
  mkdirSync(below);
  execFileSync('mount', ['-t', 'tmpfs', 'none', below]);
  try {
    writeFileSync(`${below}/file`, 'x');
    await checkVolumesBelow(below, { root: home });
  } finally {
    execFileSync('umount', [below]);
  }
});
