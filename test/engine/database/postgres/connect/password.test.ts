import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findPassword } from '../../../../../engine/database/postgres/connect/password.ts';

const question = { host: 'db.example', port: 5432, database: 'bitbucket', user: 'backup' };

test('the first line that fits gives the password', () => {
  const text = '# all\nother:*:*:*:no\ndb.example:5432:bitbucket:backup:first\n*:*:*:*:second\n';
  assert.equal(findPassword(text, question), 'first');
  assert.equal(findPassword(text, { ...question, port: 1 }), 'second');
  assert.equal(findPassword('db.example:*:*:other:no', question), undefined);
});

test('colons and backslashes are escaped', () => {
  assert.equal(findPassword('*:*:*:*:a\\:b\\\\c:d', question), 'a:b\\c:d');
  assert.equal(findPassword('*:*:a\\:b:*:pw', { ...question, database: 'a:b' }), 'pw');
  assert.equal(findPassword('*:*:a\\\\:*:pw', { ...question, database: 'a\\' }), 'pw');
});

test('a socket folder is localhost', () => {
  assert.equal(findPassword('localhost:*:*:*:pw', { ...question, host: '/run/postgresql' }), 'pw');
});
