import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Answer, Orders } from './orders.ts';

const unanswered: Answer = {
  commits: 0,
  code: 'none',
  error: 'a process did not come to an end',
};
/** A run takes a second; whoever takes so long waits for something that never comes. */
const answerMsMax = 60_000;

/** Processes that stay for many runs: a new one takes 300 ms, a run less. Who was killed is replaced. */
export class Crew {
  readonly #template: string;
  readonly #mutant: string | undefined;
  readonly #members: (ChildProcess | undefined)[] = [];

  /** `mutant`: a bug that the processes have (test/mutants/). */
  constructor(template: string, { mutant }: { readonly mutant?: string | undefined } = {}) {
    this.#template = template;
    this.#mutant = mutant;
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
        const late = sleep(answerMsMax, unanswered, { signal });
        member.send(order);
        const answer = await Promise.race([answered, died, late]);
        enough.abort();
        await Promise.allSettled([answered, died, late]);
        if (answer === unanswered) member.kill('SIGKILL');
        if (answer === undefined || answer === unanswered) this.#members[i] = undefined;
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
    const register = new URL('../../test/mutants/register.js', import.meta.url).href;
    const member = fork(main, [this.#template], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: this.#mutant === undefined ? [] : ['--import', register],
      env: { ...process.env, STILLPOINT_MUTANT: this.#mutant },
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
