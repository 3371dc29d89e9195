import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Account, Call, Fault, LatchRecord } from '../instance/index.ts';

const program = fileURLToPath(new URL('../instance/main.js', import.meta.url));

export interface Seen {
  readonly latches: readonly LatchRecord[];
  readonly calls: readonly Call[];
}

/** The stand-in application in a process of its own, driven through its test endpoints. */
export class StandIn implements AsyncDisposable {
  readonly url: string;
  readonly admin: Account;
  readonly #child: ChildProcess;
  /** What its monotonic clock is ahead of ours. */
  #aheadMs = 0;

  private constructor(
    child: ChildProcess,
    { url, admin }: { readonly url: string; readonly admin: Account },
  ) {
    this.#child = child;
    this.url = url;
    this.admin = admin;
  }

  static async start(args: readonly string[]): Promise<StandIn> {
    const child = spawn(process.execPath, [program, '--until-eof', ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const standIn = new StandIn(child, JSON.parse(line) as { url: string; admin: Account });
    await standIn.#compareClocks();
    return standIn;
  }

  /** Its monotonic clock, now. */
  nowMs(): number {
    return performance.now() + this.#aheadMs;
  }

  async seen(): Promise<Seen> {
    return (await this.#ask('GET', 'state')) as Seen;
  }

  async now(): Promise<{ nowMs: number; isLocked: boolean; kept: number }> {
    return (await this.#ask('GET', 'now')) as { nowMs: number; isLocked: boolean; kept: number };
  }

  async add(...faults: readonly Fault[]): Promise<void> {
    await this.#ask('POST', 'faults', faults);
  }

  async clear(): Promise<void> {
    await this.#ask('DELETE', 'faults');
  }

  /** Lets go of what a `hold` keeps. */
  async goOn(): Promise<void> {
    await this.#ask('POST', 'go-on');
  }

  async startWriter(perSecond: number): Promise<void> {
    await this.#ask('POST', 'writer', { perSecond, pushesPerSecond: 0, repackEveryMs: 0 });
  }

  /** Returns when it is back. */
  async restart(downMs: number): Promise<void> {
    await this.#ask('POST', `restart?downMs=${downMs}`);
    await new Promise(resolve => setTimeout(resolve, downMs));
    while (!(await this.now().catch(() => undefined))) await new Promise(resolve => setTimeout(resolve, 5));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await ended;
  }

  /** The answer that came back soonest tells best. */
  async #compareClocks(): Promise<void> {
    let bestMs = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < 20; tries += 1) {
      const sentMs = performance.now();
      const { nowMs } = await this.now();
      const tookMs = performance.now() - sentMs;
      if (tookMs >= bestMs) continue;
      bestMs = tookMs;
      this.#aheadMs = nowMs - sentMs - tookMs / 2;
    }
  }

  async #ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await fetch(`${this.url}/stand-in/${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`the stand-in answered ${answer.status} to ${method} ${path}: ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }
}
