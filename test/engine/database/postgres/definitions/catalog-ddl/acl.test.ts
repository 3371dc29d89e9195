import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  grantStatements,
  type Privilege,
} from '../../../../../../engine/database/postgres/definitions/catalog-ddl/acl.ts';

const target = { owner: 'owner', on: 'ON TABLE t' };
const names = ['SELECT', 'INSERT', 'UPDATE'];
const own = names.map(privilege => ({ grantor: 'owner', grantee: 'owner', privilege, isGrantable: false }));
const toReader = { grantor: 'owner', grantee: 'reader', privilege: 'SELECT', isGrantable: false };

test('a list that is as it was born needs no statement', () => {
  assert.deepEqual(grantStatements(target, { from: own, to: [...own].reverse() }), []);
});

test('what was taken from the owner is revoked', () => {
  assert.deepEqual(grantStatements(target, { from: own, to: own.slice(0, 1) }), [
    'REVOKE INSERT, UPDATE ON TABLE t FROM owner',
  ]);
});

test('privileges for one role stand together, those on columns name the column', () => {
  const to = [toReader, { ...toReader, privilege: 'UPDATE' }];
  assert.deepEqual(grantStatements({ ...target, column: 'c' }, { from: [], to }), [
    'GRANT SELECT (c), UPDATE (c) ON TABLE t TO reader',
  ]);
});

test('a role grants on only after it was granted to, in its own name', () => {
  const onwards = { grantor: 'reader', grantee: 'PUBLIC', privilege: 'SELECT', isGrantable: false };
  const to = [...own, onwards, { ...toReader, isGrantable: true }];
  assert.deepEqual(grantStatements(target, { from: own, to }), [
    'GRANT SELECT ON TABLE t TO reader WITH GRANT OPTION',
    'SET SESSION AUTHORIZATION reader;\nGRANT SELECT ON TABLE t TO PUBLIC;\nRESET SESSION AUTHORIZATION',
  ]);
});

/** Lists as a server can hold them: every grantor but the owner holds the grant option. */
const lists = fc
  .array(
    fc.record({
      grantor: fc.constantFrom('owner', 'a', 'b', 'c'),
      grantee: fc.constantFrom('owner', 'a', 'b', 'c', 'PUBLIC'),
      privilege: fc.constantFrom(...names),
      isGrantable: fc.boolean(),
    }),
    { maxLength: 12 },
  )
  .map(list => {
    const kept: Privilege[] = [];
    for (const one of list) {
      const may =
        one.grantor === 'owner' ||
        kept.some(
          ({ grantee, privilege, isGrantable }) =>
            grantee === one.grantor && privilege === one.privilege && isGrantable,
        );
      const known = kept.some(
        ({ grantor, grantee, privilege }) =>
          grantor === one.grantor && grantee === one.grantee && privilege === one.privilege,
      );
      if (may && !known && !(one.grantee === 'PUBLIC' && one.isGrantable)) kept.push(one);
    }
    return kept;
  });

/** What a server does with the statements, as far as they are of this form. */
function applied(from: readonly Privilege[], statements: readonly string[]): string[] {
  const held = new Map(from.map(one => [[one.grantor, one.grantee, one.privilege].join(), one.isGrantable]));
  for (const text of statements) {
    const grantor = /^SET SESSION AUTHORIZATION (\w+);/.exec(text)?.[1] ?? 'owner';
    const [, verb, list, role, option] =
      /(GRANT|REVOKE) ([A-Z, ]+) ON TABLE t (?:TO|FROM) (\w+)( WITH GRANT OPTION)?/.exec(text)!;
    for (const privilege of list!.split(', ')) {
      const key = [grantor, role, privilege].join();
      if (verb === 'REVOKE') held.delete(key);
      else held.set(key, option !== undefined);
    }
  }
  return [...held].map(entry => entry.join()).sort();
}

test('the statements lead from the list that an object is born with to any that it can have', () => {
  fc.assert(
    fc.property(lists, fc.subarray(own), (granted, kept) => {
      const to = [...kept, ...granted.filter(({ grantee, grantor }) => grantee !== grantor)];
      const statements = grantStatements(target, { from: own, to });
      assert.deepEqual(applied(own, statements), applied(to, []));
    }),
  );
});
