import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bitbucket } from '../../../engine/app/index.ts';
import {
  answer,
  brokenJson,
  empty,
  type Fault,
  hang,
  json,
  lateCut,
  lateHang,
  lateReset,
  loginPage,
  notFoundPage,
  plainText,
  redirect,
  reset,
  ScriptedApp,
} from './scripted-app.ts';

/** For calls that must be given up; others have the patience of the program, so that a busy machine changes nothing. */
const quick = { headersMs: 300, bodyMs: 300, lockMs: 300, stateMs: 300 };
const code = (expected: string) => (error: unknown) => {
  assert.equal((error as { code?: unknown }).code, expected);
  return true;
};

describe('Bitbucket', { concurrency: 8 }, () => {
  test('a whole latch makes the documented calls, in order, with empty bodies, on one connection', async () => {
    await using server = await ScriptedApp.start();
    const app = server.client();
    assert.deepEqual(await app.describe(), {
      type: 'bitbucket',
      version: '8.19.1',
      displayName: 'Bitbucket',
      identity: server.url,
    });
    const lock = await app.lock();
    assert.equal(lock.outcome, 'locked');
    const token = lock.outcome === 'locked' ? lock.token : '';
    const task = await app.startBackup(token);
    assert.deepEqual(task, { id: 'task-1', cancelToken: 'cancel-1' });
    assert.deepEqual(await app.state(token), {
      task: { id: 'task-1', state: 'RUNNING' },
      databaseState: 'LATCHED',
      homeState: 'LATCHED',
    });
    await app.progress(token, { percent: 40 });
    await app.cancel('cancel-1');
    assert.equal(await app.unlock(token), 'unlocked');

    assert.deepEqual(
      server.seen.map(one => one.line),
      [
        'GET /rest/api/1.0/application-properties',
        'POST /mvc/maintenance/lock',
        'POST /mvc/admin/backups?external=true',
        'GET /mvc/maintenance',
        'POST /mvc/admin/backups/progress/client?token=unlock-1&percentage=40',
        'DELETE /mvc/maintenance?token=cancel-1',
        'DELETE /mvc/maintenance/lock?token=unlock-1',
      ],
    );
    const [first, ...others] = server.seen;
    assert.equal(first?.headers.authorization, undefined);
    const tokens = others.map(one => one.headers['x-atlassian-maintenance-token']);
    assert.deepEqual(tokens, [undefined, token, token, undefined, undefined, undefined]);
    for (const { headers, bodyBytes } of others) {
      assert.equal(headers['content-type'], 'application/json');
      assert.equal(headers.accept, 'application/json');
      assert.match(headers.authorization ?? '', /^Basic /);
      assert.equal(bodyBytes, 0);
    }
    assert.equal(server.connections, 1);
  });

  const lockFaults: Record<string, { fault: Fault; outcome: string; code: string }> = {
    'an HTML page with 200': { fault: loginPage, outcome: 'unknown', code: 'APP_REFUSED' },
    'a redirect': { fault: redirect, outcome: 'refused', code: 'APP_REFUSED' },
    'a refused login': { fault: answer(empty(401)), outcome: 'refused', code: 'APP_REFUSED' },
    'missing rights': { fault: answer(empty(403)), outcome: 'refused', code: 'APP_REFUSED' },
    'a 404': { fault: notFoundPage, outcome: 'refused', code: 'APP_REFUSED' },
    'a 503 page': { fault: answer({ status: 503, body: '<html>' }), outcome: 'unknown', code: 'APP_REFUSED' },
    'a conflict': { fault: answer(json(409, {})), outcome: 'refused', code: 'APP_LOCKED' },
    'an empty 204': { fault: answer(empty(204)), outcome: 'unknown', code: 'APP_REFUSED' },
    'an empty 202': { fault: answer(empty(202)), outcome: 'unknown', code: 'APP_REFUSED' },
    'a null token': {
      fault: answer(json(202, { unlockToken: null })),
      outcome: 'unknown',
      code: 'APP_REFUSED',
    },
    'the token "null"': {
      fault: answer(json(202, { unlockToken: 'null' })),
      outcome: 'unknown',
      code: 'APP_REFUSED',
    },
    'no token': { fault: answer(json(202, { owner: {} })), outcome: 'unknown', code: 'APP_REFUSED' },
    'plain text': { fault: plainText, outcome: 'unknown', code: 'APP_REFUSED' },
    'broken JSON': { fault: brokenJson, outcome: 'unknown', code: 'APP_REFUSED' },
    'a 500': { fault: answer(empty(500)), outcome: 'unknown', code: 'APP_REFUSED' },
    'a 502 page': { fault: answer({ status: 502, body: '<html>' }), outcome: 'unknown', code: 'APP_REFUSED' },
    'no answer': { fault: hang, outcome: 'unknown', code: 'APP_UNREACHABLE' },
    'no answer, though locked': { fault: lateHang, outcome: 'unknown', code: 'APP_UNREACHABLE' },
    'a reset': { fault: reset, outcome: 'unknown', code: 'APP_UNREACHABLE' },
    'a reset after locking': { fault: lateReset, outcome: 'unknown', code: 'APP_UNREACHABLE' },
    'half an answer': { fault: lateCut, outcome: 'unknown', code: 'APP_UNREACHABLE' },
  };
  for (const [name, expected] of Object.entries(lockFaults)) {
    test(`a lock answered by ${name} is ${expected.outcome}, and was called once`, async () => {
      await using server = await ScriptedApp.start();
      server.next('lock', expected.fault);
      const timeouts = [hang, lateHang].includes(expected.fault) ? quick : {};
      const lock = await server.client({ timeouts }).lock();
      assert.equal(lock.outcome, expected.outcome);
      assert.ok(lock.outcome !== 'locked');
      assert.equal(lock.error.code, expected.code);
      assert.ok(lock.error.remedy);
      assert.equal(server.count('lock'), 1);
    });
  }

  test('a lock call that finds nobody is refused, not unknown', async () => {
    const server = await ScriptedApp.start();
    const { url } = server;
    await server[Symbol.asyncDispose]();
    const app = bitbucket({ type: 'bitbucket', url, user: 'admin', password: 'x' });
    const lock = await app.lock();
    assert.equal(lock.outcome, 'refused');
    assert.equal(lock.outcome === 'refused' && lock.error.code, 'APP_UNREACHABLE');
    await app.close();
  });

  const proxies: Record<string, Fault> = {
    'an HTML page with 200': loginPage,
    'a redirect': redirect,
    'an empty 204': answer(empty(204)),
    'a refused login': answer(empty(401)),
    'missing rights': answer(empty(403)),
    'a 500': answer(empty(500)),
  };
  for (const [name, fault] of Object.entries(proxies)) {
    test(`${name} is no success of any call`, async () => {
      await using server = await ScriptedApp.start();
      for (const call of ['properties', 'start', 'state', 'progress', 'unlock'] as const)
        server.always(call, fault);
      const app = server.client();
      await assert.rejects(app.describe(), code('APP_REFUSED'));
      await assert.rejects(app.startBackup('t'), code('APP_REFUSED'));
      await assert.rejects(app.state('t'), code('APP_REFUSED'));
      await assert.rejects(app.progress('t', { percent: 1 }), code('APP_REFUSED'));
      await assert.rejects(app.unlock('t'), code('APP_REFUSED'));
      assert.equal(server.seen.length, 5, 'nothing is followed or tried twice');
    });
  }

  test('a call that hangs, or breaks in the middle of its answer, is APP_UNREACHABLE', async () => {
    await using server = await ScriptedApp.start();
    for (const fault of [hang, reset, lateCut]) {
      const app = server.client({ timeouts: fault === hang ? quick : {} });
      server.next('unlock', fault);
      server.next('state', fault);
      await assert.rejects(app.unlock('t'), code('APP_UNREACHABLE'));
      await assert.rejects(app.state('t'), code('APP_UNREACHABLE'));
    }
  });

  test('an answer that never ends its body is given up on', async () => {
    await using server = await ScriptedApp.start();
    server.next('state', ({ response }) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{');
    });
    await assert.rejects(server.client({ timeouts: quick }).state('t'), code('APP_UNREACHABLE'));
  });

  test('an unlock that finds no lock, or another one, has lapsed', async () => {
    await using server = await ScriptedApp.start();
    const app = server.client();
    assert.equal(await app.unlock('gone'), 'lapsed');
    assert.equal((await app.lock()).outcome, 'locked');
    assert.equal(await app.unlock('other'), 'lapsed');
    assert.ok(server.model.isLocked);
  });

  test("a proxy's 404 for an unlock says nothing of the lock while the application is not reached", async () => {
    await using server = await ScriptedApp.start();
    const app = server.client();
    server.next('unlock', notFoundPage);
    server.next('properties', notFoundPage);
    await assert.rejects(app.unlock('t'), code('APP_REFUSED'));
  });

  test('the task and state of an instance that says little are read as nothing', async () => {
    await using server = await ScriptedApp.start();
    server.next('state', answer(json(200, {})));
    assert.deepEqual(await server.client().state('t'), { task: null, databaseState: '', homeState: '' });
  });

  test('an application that is locked says so before anything is tried', async () => {
    await using server = await ScriptedApp.start();
    const app = server.client();
    await app.lock();
    await assert.rejects(app.describe(), code('APP_LOCKED'));
    server.next('state', answer({ status: 503, body: '<html>starting' }));
    await assert.rejects(app.describe(), code('APP_REFUSED'));
  });

  test('an older version is refused', async () => {
    await using server = await ScriptedApp.start();
    server.next('properties', answer(json(200, { version: '3.11.6', displayName: 'Stash' })));
    await assert.rejects(server.client().describe(), code('APP_REFUSED'));
  });

  test('wrong credentials are found without a lock', async () => {
    await using server = await ScriptedApp.start();
    await server.client().checkAccess();
    await assert.rejects(server.client({ password: 'wrong' }).checkAccess(), code('APP_REFUSED'));
    server.next('state', redirect);
    await assert.rejects(server.client().checkAccess(), code('APP_REFUSED'));
    assert.equal(await server.client().checkAccess(), undefined);
    server.next('state', answer({ status: 502, body: '<html>Bad Gateway' }));
    assert.match((await server.client().checkAccess()) ?? '', /502/);
    assert.equal(server.count('lock'), 0);
  });

  test('people are served unless it is locked, answers from elsewhere, or is not reached', async () => {
    await using server = await ScriptedApp.start();
    const app = server.client();
    assert.equal(await app.isServing(), true);
    server.next('page', redirect);
    assert.equal(await app.isServing(), false);
    server.next('properties', notFoundPage);
    assert.equal(await app.isServing(), false);
    await app.lock();
    assert.equal(await app.isServing(), false);
  });

  test('a context path stays, and a slash at the end does not double', async () => {
    await using server = await ScriptedApp.start();
    const app = server.client({ path: '/context/' });
    await app.describe();
    assert.equal(server.seen[0]?.line, 'GET /context/rest/api/1.0/application-properties');
    assert.equal(app.location, `${server.url}/context`);
  });

  test('neither password nor token is in an error; commands for people hold the token on purpose', async () => {
    await using server = await ScriptedApp.start();
    const app = server.client({ timeouts: quick });
    server.always('unlock', hang);
    const error = await app.unlock('to&ken').then(
      () => assert.fail('it hangs'),
      (thrown: Error & { remedy?: string }) => thrown,
    );
    assert.doesNotMatch(`${error.message} ${error.remedy}`, /se cret|to&ken|to%26ken/);
    assert.match(app.manual.unlock('to&ken'), /-X DELETE '.*token=to%26ken'/);
    assert.doesNotMatch(app.manual.unlock('to&ken'), /se cret/);
  });

  test('an aborted call rejects with the reason', async () => {
    await using server = await ScriptedApp.start();
    server.always('state', hang);
    const reason = new Error('enough');
    const abort = new AbortController();
    const call = server.client().state('t', { signal: abort.signal });
    setTimeout(() => abort.abort(reason), 20);
    await assert.rejects(call, error => error === reason);
  });

  test('a URL that is not http is a mistake in the configuration', () => {
    for (const url of ['ftp://host', 'host:7990', '']) {
      assert.throws(
        () => bitbucket({ type: 'bitbucket', url, user: 'a', password: 'b' }),
        code('CONFIG_INVALID'),
      );
    }
  });
});
