import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkUnits } from '../../../engine/doctor/units/index.ts';
import { environmentOf, timeSpanMs, UnitFile } from '../../../engine/doctor/units/unit-file.ts';
import { findingsOf } from '../../helpers/findings.ts';
import { projectRoot } from '../../helpers/project.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

const unitsFolder = join(projectRoot, 'docs/systemd');
const committed = readdirSync(unitsFolder).filter(name => /\.(service|timer)$/.test(name));

/** The committed units, installed, with some of their text replaced. */
function install(
  folder: string,
  change: (name: string, text: string) => string | null = (_name, text) => text,
): void {
  for (const name of committed) {
    const text = change(name, readFileSync(join(unitsFolder, name), 'utf8'));
    if (text !== null) writeFileSync(join(folder, name), text);
  }
  mkdirSync(join(folder, 'multi-user.target.wants'));
  symlinkSync(
    '../stillpoint-unlock.service',
    join(folder, 'multi-user.target.wants/stillpoint-unlock.service'),
  );
}

async function judged(
  change?: (name: string, text: string) => string | null,
  { stateDir = '/var/lib/stillpoint', more = {} as Record<string, string> } = {},
): Promise<string[]> {
  using scratch = scratchFolder();
  install(scratch.path, change);
  for (const [name, text] of Object.entries(more)) {
    mkdirSync(join(scratch.path, name, '..'), { recursive: true });
    writeFileSync(join(scratch.path, name), text);
  }
  const folders = [scratch.path, join(scratch.path, 'absent')];
  const findings = await findingsOf(checkUnits({ stateDir, folders }));
  return findings.map(({ state, found }) => `${state} ${found}`);
}

const edit =
  (unit: string, from: RegExp, to = '') =>
  (name: string, text: string) =>
    name === `stillpoint-${unit}.service` ? text.replace(from, to) : text;

async function assertOne(found: Promise<string[]>, pattern: RegExp): Promise<void> {
  const all = await found;
  assert.equal(all.length, 1, all.join('\n'));
  assert.match(all[0]!, pattern);
}

test('the committed units pass', () => assertOne(judged(), /^ok /));

test('where no unit runs a backup there is nothing to say', async () => {
  using scratch = scratchFolder();
  writeFileSync(join(scratch.path, 'other.service'), '[Service]\nExecStart=/bin/true\n');
  assert.deepEqual(await findingsOf(checkUnits({ stateDir: '/', folders: [scratch.path] })), []);
});

test('each thing that would leave the application locked, or hide the token, is found', async () => {
  await assertOne(judged(edit('backup', /^ExecStopPost=.*$/m)), /^failed .*ExecStopPost/);
  await assertOne(judged(edit('backup', /^KillMode=.*$/m)), /^warning .*KillMode=control-group/);
  await assertOne(
    judged(edit('backup', /^KillMode=.*$/m, 'KillMode=process')),
    /^warning .*KillMode=process/,
  );
  await assertOne(judged(edit('backup', /^TimeoutStopSec=.*$/m, 'TimeoutStopSec=30')), /^warning .*30/);
  await assertOne(judged(edit('backup', /^Type=.*$/m, 'RuntimeMaxSec=1h')), /^warning .*RuntimeMaxSec/);
  await assertOne(judged(edit('backup', /^Type=.*$/m, 'User=bitbucket')), /^warning .*bitbucket/);
  await assertOne(
    judged(edit('unlock', /^StateDirectory=.*$/m, 'StateDirectory=other')),
    /^failed .*\/var\/lib\/other/,
  );
  await assertOne(judged(edit('unlock', /^StateDirectory=.*$/m)), /^failed /);
});

test('a unit that unlocks at boot must be there and enabled', async () => {
  const without = (name: string, text: string) => (name === 'stillpoint-unlock.service' ? null : text);
  await assertOne(judged(without), /^failed .*boot/);
  using scratch = scratchFolder();
  for (const name of committed)
    writeFileSync(join(scratch.path, name), readFileSync(join(unitsFolder, name)));
  const [finding] = await findingsOf(
    checkUnits({ stateDir: '/var/lib/stillpoint', folders: [scratch.path] }),
  );
  assert.deepEqual(
    [finding?.state, finding?.remedy],
    ['failed', 'systemctl enable stillpoint-unlock.service'],
  );
});

test('a secret in the environment of a unit is warned of by its name alone', async () => {
  const found = await judged(edit('backup', /^Type=.*$/m, 'Environment=A=1 "PGPASSWORD=hidden one"'));
  assert.equal(found.length, 1);
  assert.match(found[0]!, /^warning .*PGPASSWORD/);
  assert.doesNotMatch(found[0]!, /hidden/);
});

test('drop-ins count, and a state folder that differs from that of this run is said', async () => {
  const dropIn = '[Service]\nExecStopPost=\nKillMode=\\\n mixed\n';
  await assertOne(
    judged(undefined, { more: { 'stillpoint-backup.service.d/a.conf': dropIn } }),
    /^failed .*ExecStopPost/,
  );
  await assertOne(
    judged(undefined, { stateDir: '/home/me/.local/state/stillpoint' }),
    /^warning .*\/home\/me/,
  );
  const state = 'Environment=STILLPOINT_STATE_DIR=/srv/state';
  const both = (_name: string, text: string) => text.replace(/^StateDirectory=.*$/m, state);
  await assertOne(judged(both, { stateDir: '/srv/state' }), /^ok /);
});

test('unit files are read as systemd reads them', () => {
  const unit = new UnitFile('a', [
    '# no\n[Service]\nEnvironment="A=b c" D=e \'F=g\'\nX=1\nX=2\n; X=3\n[Install]\nX=4\n',
  ]);
  assert.deepEqual(
    [...environmentOf(unit)],
    [
      ['A', 'b c'],
      ['D', 'e'],
      ['F', 'g'],
    ],
  );
  assert.deepEqual([unit.all('Service.X'), unit.last('Install.X')], [['1', '2'], '4']);
  const spans: [string, number | undefined][] = [
    ['90', 90_000],
    ['2min 30s', 150_000],
    ['2min30s', 150_000],
    ['500ms', 500],
    ['infinity', Number.POSITIVE_INFINITY],
    ['soon', undefined],
  ];
  for (const [text, ms] of spans) assert.equal(timeSpanMs(text), ms, text);
});

const analyze = '/usr/bin/systemd-analyze';
const skip = existsSync(analyze) ? false : 'systemd-analyze is not installed';
test('systemd finds nothing wrong with the committed units', { skip }, () => {
  using scratch = scratchFolder();
  // The program need not be installed where the tests run.
  install(scratch.path, (_name, text) => text.replaceAll('/usr/bin/stillpoint', '/bin/true'));
  const files = committed.map(name => join(scratch.path, name));
  execFileSync(analyze, ['verify', '--man=no', ...files], { stdio: 'pipe' });
});
