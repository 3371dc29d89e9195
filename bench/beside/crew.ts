import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Answer, Orders } from './orders.ts';

/** Processes that stay for many runs: a new one takes 300 ms, a run less. Who was killed is replaced. */
export class Crew {
  readonly #template: string;
  readonly #execArgv: readonly string[];
  readonly #members: (ChildProcess | undefined)[] = [];

  /** `execArgv`: what node is given before the program. */
  constructor(template: string, { execArgv = [] }: { readonly execArgv?: readonly string[] } = {}) {
    this.#template = template;
    this.#execArgv = execArgv;
  }

  /** One process a part; undefined for who was killed. */
  async run(orders: readonly Orders[]): Promise<(Answer | undefined)[]> {
    const members = await Promise.all(orders.map((_, i) => this.#member(i)));
    return Promise.all(
      orders.map(async (order, i) => {
        const member = members[i]!;
        const enough = new AbortController();
        const { signal } = enough;
        const answered = once(member, 'message', { signal }).then(([answer]) => answer as Answer);
        const died = once(member, 'exit', { signal }).then(() => undefined);
        member.send(order);
        const answer = await Promise.race([answered, died]);
        enough.abort();
        await Promise.allSettled([answered, died]);
        if (answer === undefined) this.#members[i] = undefined;
        return answer;
      }),
    );
  }

  end(): void {
    for (const member of this.#members) member?.kill('SIGKILL');
  }

  async #member(i: number): Promise<ChildProcess> {
    const there = this.#members[i];
    if (there !== undefined) return there;
    const main = fileURLToPath(new URL('./worker-main.js', import.meta.url));
    const member = fork(main, [this.#template], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: [...this.#execArgv],
    });
    this.#members[i] = member;
    const enough = new AbortController();
    const { signal } = enough;
    const ready = once(member, 'message', { signal });
    const failed = once(member, 'exit', { signal }).then(([code]) => {
      throw new Error(`Cannot start a host of the bench: it ended with ${code}`);
    });
    await Promise.race([ready, failed]).finally(() => enough.abort());
    await Promise.allSettled([ready, failed]);
    return member;
  }
}
