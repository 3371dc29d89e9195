import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { afterwards } from '../../../engine/restore/afterwards.ts';
import type { SnapshotId } from '../../../store/index.ts';
import { goldenPair } from '../../helpers/pairs.ts';
import { scratchFolder } from '../../helpers/scratch.ts';

const snapshot = { ...goldenPair, id: 'ab'.repeat(32) as SnapshotId, host: 'there', sequence: 1 };
const databaseUrl = 'postgresql://keeper@db.example.org:5433/scratch';

function homeWith(text: string, { path }: { readonly path: string }): string {
  mkdirSync(`${path}/shared`, { recursive: true });
  writeFileSync(`${path}/shared/bitbucket.properties`, text, 'latin1');
  return path;
}

test('the first word is the warning of a twin that would write to the live database, without its password', () => {
  using scratch = scratchFolder();
  const home = homeWith('jdbc.url=jdbc:postgresql://live:5432/bitbucket?password=secret\n', scratch);
  const [first, ...rest] = afterwards(snapshot, { home, databaseUrl, jdbc: [] });
  assert.match(first!, /DO NOT START/);
  assert.match(first!, /live:5432\/bitbucket/);
  assert.doesNotMatch(first!, /secret/);
  assert.equal(rest.length, 4, 'version, base URL with mail, licence, what to index again');
  for (const word of [/8\.19\.1/, /mail/, /licence/, /index/]) assert.match(rest.join('\n'), word);
});

test('settings that name the database restored into are no warning, however the host is written', () => {
  using scratch = scratchFolder();
  const home = homeWith('jdbc.url = jdbc:postgresql://localhost/scratch?ssl=true\n', scratch);
  const notes = afterwards(snapshot, {
    home,
    databaseUrl: 'postgresql://a@127.0.0.1:5432/scratch',
    jdbc: [],
  });
  assert.doesNotMatch(notes.join('\n'), /DO NOT START/);
});

test('settings that name the database behind a socket are no warning, and another one there is', () => {
  using scratch = scratchFolder();
  const home = homeWith('jdbc.url=jdbc:postgresql://127.0.0.1:5999/twin%C3%A9\n', scratch);
  const told = (databaseUrl: string) => afterwards(snapshot, { home, databaseUrl, jdbc: [] }).join('\n');
  assert.doesNotMatch(told('postgresql://a@/twin%C3%A9?host=/run/postgresql&port=5999'), /DO NOT START/);
  assert.match(told('postgresql://a@/twin%C3%A9?host=/run/postgresql&port=5432'), /DO NOT START/);
});

test('of MariaDB behind a socket alone nobody knows that it is the one that the settings name', () => {
  using scratch = scratchFolder();
  const home = homeWith('jdbc.url=jdbc:mysql://localhost:3306/shop\n', scratch);
  const told = (databaseUrl: string) => afterwards(snapshot, { home, databaseUrl, jdbc: [] }).join('\n');
  assert.match(told('mysql://a@localhost/shop?socket=/run/other.sock'), /DO NOT START/);
  assert.match(told('mysql://a@127.0.0.1:3307/shop?socket=/run/other.sock'), /DO NOT START/);
  assert.doesNotMatch(told('mysql://a@127.0.0.1:3306/shop?socket=/run/mysqld/mysqld.sock'), /DO NOT START/);
});

test('a home without its database is told of the one that its settings name', () => {
  using scratch = scratchFolder();
  const home = homeWith('jdbc.url=jdbc:postgresql://live/bitbucket\n', scratch);
  const [first, ...rest] = afterwards(snapshot, { home, databaseUrl: undefined, jdbc: [] });
  assert.match(first!, /DO NOT START/);
  assert.doesNotMatch(rest.join('\n'), /licence/, 'it came with the database');
});

test('settings behind a link are not those of the restored home', () => {
  using scratch = scratchFolder();
  const outside = homeWith('jdbc.url=jdbc:postgresql://live/bitbucket\n', {
    path: `${scratch.path}/outside`,
  });
  const home = `${scratch.path}/home`;
  mkdirSync(home);
  symlinkSync(`${outside}/shared`, `${home}/shared`);
  assert.doesNotMatch(afterwards(snapshot, { home, databaseUrl, jdbc: [] }).join('\n'), /jdbc/);
});
