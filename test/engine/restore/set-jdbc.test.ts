import assert from 'node:assert/strict';
import { chmodSync, linkSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setJdbc } from '../../../engine/restore/set-jdbc.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

const url = 'postgresql://twin%C3%A9@db.example.org:5433/scratch';

function homeWith(text: string, folder: string): string {
  mkdirSync(`${folder}/shared`, { recursive: true });
  const file = `${folder}/shared/bitbucket.properties`;
  writeFileSync(file, text, 'latin1');
  chmodSync(file, 0o600);
  return file;
}

test('the line of the URL is rewritten, and nothing else: not the user, who restored it perhaps as a superuser', () => {
  using scratch = scratchFolder();
  const file = homeWith(
    '# jdbc.url=a comment\r\nsetup.x=\xe9\r\n  jdbc.url : jdbc:postgresql://old\\:1/live?ssl=true&password=secret\r\njdbc.user=live\r\njdbc.password=hunter2\r\njdbc.url.more=1\r\n',
    scratch.path,
  );
  const said = setJdbc(scratch.path, url).join('\n');
  assert.equal(
    readFileSync(file, 'latin1'),
    '# jdbc.url=a comment\r\nsetup.x=\xe9\r\n  jdbc.url : jdbc:postgresql://db.example.org:5433/scratch?ssl=true&password=secret\r\njdbc.user=live\r\njdbc.password=hunter2\r\njdbc.url.more=1\r\n',
  );
  assert.match(said, /old:1\/live/);
  assert.doesNotMatch(said, /secret|hunter2/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test('a value over several lines is replaced whole', () => {
  using scratch = scratchFolder();
  const file = homeWith('jdbc.url=jdbc:postgresql://\\\n    old/live\njdbc.user=live\n', scratch.path);
  setJdbc(scratch.path, 'postgresql://127.0.0.1/scratch');
  assert.equal(
    readFileSync(file, 'utf8'),
    'jdbc.url=jdbc:postgresql://127.0.0.1:5432/scratch\njdbc.user=live\n',
  );
});

test('of MariaDB the name of its driver stays', () => {
  using scratch = scratchFolder();
  for (const [old, scheme] of [
    ['jdbc:mysql://db.live:3306/shop?x=1', 'mysql'],
    ['jdbc:mariadb://db.live/shop?x=1', 'mariadb'],
  ] as const) {
    const file = homeWith(`jdbc.url=${old}\n`, `${scratch.path}/${scheme}`);
    setJdbc(`${scratch.path}/${scheme}`, 'mysql://root@db.twin/again');
    assert.equal(readFileSync(file, 'utf8'), `jdbc.url=jdbc:${scheme}://db.twin:3306/again?x=1\n`);
  }
});

test('where there is no such file or line, that is said', () => {
  using scratch = scratchFolder();
  assert.match(setJdbc(scratch.path, url)[0]!, /No bitbucket\.properties/);
  const file = homeWith('setup.x=1\n', scratch.path);
  assert.match(setJdbc(scratch.path, url)[0]!, /no jdbc\.url/);
  assert.equal(readFileSync(file, 'utf8'), 'setup.x=1\n');
});

test('no link is followed out of the home, and no file with another name is written', () => {
  using scratch = scratchFolder();
  const outside = `${scratch.path}/outside`;
  const file = homeWith('jdbc.url=jdbc:postgresql://old/live\n', outside);
  const home = `${scratch.path}/home`;
  mkdirSync(`${home}/shared`, { recursive: true });
  symlinkSync(file, `${home}/shared/bitbucket.properties`);
  assert.throws(() => setJdbc(home, url), { code: 'TARGET_FAILED' });
  mkdirSync(`${scratch.path}/second`);
  symlinkSync(`${outside}/shared`, `${scratch.path}/second/shared`);
  assert.match(setJdbc(`${scratch.path}/second`, url)[0]!, /No bitbucket\.properties/);
  mkdirSync(`${scratch.path}/third/shared`, { recursive: true });
  linkSync(file, `${scratch.path}/third/shared/bitbucket.properties`);
  assert.throws(() => setJdbc(`${scratch.path}/third`, url), { code: 'TARGET_FAILED' });
  assert.equal(readFileSync(file, 'utf8'), 'jdbc.url=jdbc:postgresql://old/live\n');
});
