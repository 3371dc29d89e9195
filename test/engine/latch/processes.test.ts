import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { releaseLatches } from '../../../engine/latch/index.ts';
import { systemClock } from '../../../store/index.ts';
import { lateHang, ScriptedApp } from '../app/scripted-app.ts';

const password = 'se cret:ü';
const soonMs = 5_000;

/** A real program with a real sentinel, on a server in this process. */
class Program implements AsyncDisposable {
  readonly server: ScriptedApp;
  readonly stateDir: string;
  readonly #child: ChildProcess;
  readonly #said: string[] = [];

  private constructor(server: ScriptedApp, { stateDir, maxHoldMs }: { stateDir: string; maxHoldMs: number }) {
    this.server = server;
    this.stateDir = stateDir;
    const script = fileURLToPath(new URL('./program.js', import.meta.url));
    this.#child = spawn(
      process.execPath,
      [script, JSON.stringify({ url: server.url, stateDir, maxHoldMs })],
      {
        detached: true, // a process group of its own, to be killed whole
        env: { ...process.env, TEST_PASSWORD: password, STILLPOINT_PASSPHRASE: 'pass phrase' },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    createInterface({ input: this.#child.stdout! }).on('line', line => this.#said.push(line));
  }

  static async start({ maxHoldMs = 60_000 } = {}): Promise<Program> {
    const stateDir = await mkdtemp(path.join(tmpdir(), 'latch-'));
    return new Program(await ScriptedApp.start(), { stateDir, maxHoldMs });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  hasSaid(line: string): Promise<void> {
    return until(() => this.#said.includes(line), `it says ${line}, not only ${this.#said}`);
  }

  async unlocked(): Promise<number> {
    const startMs = performance.now();
    await until(() => !this.server.model.isLocked, 'unlocked');
    return performance.now() - startMs;
  }

  async sentinel(): Promise<number> {
    let found: number | undefined;
    await until(async () => {
      for (const name of await readdir('/proc')) {
        if (!/^\d+$/.test(name)) continue;
        const fields = await readFile(`/proc/${name}/stat`, 'latin1').catch(() => '');
        if (Number(fields.slice(fields.lastIndexOf(')') + 2).split(' ')[1]) === this.pid)
          found = Number(name);
      }
      return found !== undefined;
    }, 'a sentinel');
    return found!;
  }

  async records(): Promise<string[]> {
    const folder = path.join(this.stateDir, 'latches');
    return (await readdir(folder)).map(name => path.join(folder, name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    kill(this.pid, 'SIGKILL');
    await this.server[Symbol.asyncDispose]();
    // A sentinel whose program was killed may still be taking its record away.
    await rm(this.stateDir, { recursive: true, maxRetries: 5 });
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ESRCH'); // it has ended
  }
}

async function until(isTrue: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + soonMs;
  while (!(await isTrue())) {
    assert.ok(performance.now() < endMs, `not in time: ${what}`);
    await sleep(2);
  }
}

async function hasEnded(pid: number): Promise<boolean> {
  const fields = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  return fields === '' || fields.slice(fields.lastIndexOf(')') + 2).startsWith('Z');
}

async function socketsOf(pid: number): Promise<number> {
  const folder = `/proc/${pid}/fd`;
  const links = (await readdir(folder)).map(name => readlink(path.join(folder, name)).catch(() => ''));
  return (await Promise.all(links)).filter(link => link.startsWith('socket:')).length;
}

function report(context: TestContext, { what, ms }: { what: string; ms: number }): void {
  context.diagnostic(`${what}: unlocked after ${ms.toFixed(0)} ms`);
}

describe('with real processes', { skip: process.platform !== 'linux', concurrency: 2 }, () => {
  test('a program killed with its whole process group is outlived by its sentinel, which unlocks', async context => {
    await using program = await Program.start();
    await program.hasSaid('body');
    const sentinel = await program.sentinel();
    const sockets = await socketsOf(sentinel);
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1'] as const) kill(sentinel, signal);
    await sleep(200);
    assert.equal(await socketsOf(sentinel), sockets, 'no debugger listens');
    const shown = await Promise.all(
      ['cmdline', 'environ'].map(name => readFile(`/proc/${sentinel}/${name}`, 'utf8')),
    );
    const token = program.server.model.token ?? '';
    for (const secret of [password, token, 'pass phrase', encodeURIComponent(password)]) {
      assert.ok(!shown.join('').includes(secret));
    }
    const [record] = await program.records();
    assert.equal((await stat(record!)).mode & 0o777, 0o600);
    assert.ok(!(await readFile(record!, 'utf8')).includes(password));
    assert.ok(program.server.model.isLocked);
    kill(-program.pid, 'SIGKILL');
    report(context, { what: 'SIGKILL of the program', ms: await program.unlocked() });
    await until(() => hasEnded(sentinel), 'the sentinel ends');
    assert.deepEqual(await program.records(), []);
  });

  test('a program killed while its lock call is under way leaves no lock', async context => {
    await using program = await Program.start();
    let answerNow: () => void = () => {};
    program.server.next('lock', ({ response, apply }) => {
      const { status, body } = apply();
      answerNow = () =>
        void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
    await until(() => program.server.model.isLocked, 'locked');
    kill(program.pid, 'SIGKILL');
    await until(() => hasEnded(program.pid), 'killed');
    answerNow();
    report(context, { what: 'SIGKILL in the lock call', ms: await program.unlocked() });
  });

  test('a stopped program loses its lock when maxHold passes, and knows it when it goes on', async context => {
    await using program = await Program.start({ maxHoldMs: 1_500 });
    await program.hasSaid('body');
    const startMs = performance.now();
    kill(program.pid, 'SIGSTOP');
    await program.unlocked();
    report(context, { what: 'SIGSTOP, maxHold 1500 ms', ms: performance.now() - startMs });
    assert.deepEqual(program.server.model.progress, []);
    kill(program.pid, 'SIGCONT');
    await program.hasSaid('LATCH_OVERRUN');
  });

  test('a program whose sentinel is killed unlocks at once and discards the pair', async context => {
    await using program = await Program.start();
    await program.hasSaid('body');
    kill(await program.sentinel(), 'SIGKILL');
    report(context, { what: 'SIGKILL of the sentinel', ms: await program.unlocked() });
    await program.hasSaid('LATCH_LAPSED');
    assert.deepEqual(await program.records(), []);
  });

  test('a sentinel killed with the answer to its lock call leaves a lock that the program reports', async () => {
    await using program = await Program.start();
    program.server.next('lock', lateHang);
    await until(() => program.server.model.isLocked, 'locked');
    kill(await program.sentinel(), 'SIGKILL');
    await program.hasSaid('APP_STILL_LOCKED');
    assert.equal((await program.records()).length, 1);
  });

  test('when both are killed the record stays, and unlocks', async () => {
    await using program = await Program.start();
    await program.hasSaid('body');
    const sentinel = await program.sentinel();
    kill(program.pid, 'SIGSTOP'); // else the one that is killed last unlocks
    kill(sentinel, 'SIGKILL');
    kill(program.pid, 'SIGKILL');
    await until(() => hasEnded(program.pid), 'killed');
    const { stateDir, server } = program;
    assert.ok(server.model.isLocked);
    const options = { stateDir, instance: 'instance', app: server.client(), clock: systemClock };
    assert.deepEqual(await releaseLatches(options), { unlocked: 1, lapsed: 0, unresolved: [] });
    assert.equal(server.model.isLocked, false);
    assert.deepEqual(await program.records(), []);
  });
});
