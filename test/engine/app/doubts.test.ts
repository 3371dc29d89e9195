import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { doubtsAbout } from '../../../engine/app/index.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

const databaseUrl = 'postgresql://keeper@127.0.0.1:5432/bitbucket';

function bitbucketIn(folder: string): string {
  mkdirSync(`${folder}/shared`, { recursive: true });
  const text = 'jdbc.url=jdbc:postgresql://localhost/bitbucket?password=secret\n';
  writeFileSync(`${folder}/shared/bitbucket.properties`, text);
  return folder;
}

test('home and database of one application raise no doubt', () => {
  using scratch = scratchFolder();
  const home = bitbucketIn(scratch.path);
  assert.deepEqual(doubtsAbout({ home, databaseUrl }), []);
  assert.deepEqual(doubtsAbout({ home, databaseUrl: null }), []);
});

test('a folder above or below the home is doubted, and the home named', () => {
  using scratch = scratchFolder();
  const home = bitbucketIn(`${scratch.path}/home`);
  for (const wrong of [scratch.path, `${home}/shared`]) {
    const [doubt] = doubtsAbout({ home: wrong, databaseUrl });
    assert.match(String(doubt), /\/home\?/, wrong);
  }
});

test('of MariaDB behind a socket alone the name is compared', () => {
  using scratch = scratchFolder();
  const home = bitbucketIn(scratch.path);
  const text = 'jdbc.url=jdbc:mariadb://127.0.0.1:3306/bitbucket\n';
  writeFileSync(`${home}/shared/bitbucket.properties`, text);
  const doubts = (url: string) => doubtsAbout({ home, databaseUrl: url }).length;
  assert.equal(doubts('mysql://a@localhost/bitbucket?socket=/run/mysqld/mysqld.sock'), 0);
  assert.equal(doubts('mysql://a@localhost/other?socket=/run/mysqld/mysqld.sock'), 1);
  assert.equal(doubts('mysql://a@localhost:3307/bitbucket?socket=/run/mysqld/mysqld.sock'), 1);
});

test('another database than the settings name is doubted, and no password shown', () => {
  using scratch = scratchFolder();
  const home = bitbucketIn(scratch.path);
  const doubts = doubtsAbout({ home, databaseUrl: 'postgresql://keeper@127.0.0.1/postgres' });
  assert.equal(doubts.length, 1);
  assert.doesNotMatch(doubts[0]!, /secret/);
});
