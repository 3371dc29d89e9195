/** The calls of the maintenance protocol, by the names that faults use. */
export type Call = 'properties' | 'lock' | 'start' | 'state' | 'progress' | 'unlock' | 'cancel' | 'page';

export interface Arguments {
  readonly header?: string | undefined;
  readonly token?: string | null;
  readonly percentage?: number;
}

export interface Reply {
  readonly status: number;
  /** A string is a page for people, an object JSON. */
  readonly body: unknown;
}

/** What the real application remembers of its maintenance, and nothing else: no network, no faults. */
export class MaintenanceModel {
  token: string | undefined;
  task: { id: string; state: string; cancelToken: string } | undefined;
  /** State polls that answer LATCHED before DRAINED. */
  pollsToDrain = 2;
  /** The percentages that were reported. */
  readonly progress: number[] = [];
  readonly tokens: string[] = [];
  #polls = 0;
  #sequence = 0;

  get isLocked(): boolean {
    return this.token !== undefined;
  }

  /** What a restart loses: everything. */
  restart(): void {
    this.token = undefined;
    this.task = undefined;
  }

  apply(call: Call, { header, token, percentage }: Arguments): Reply {
    switch (call) {
      case 'properties':
        if (this.isLocked) return { status: 503, body: '<html>In maintenance</html>' };
        return json(200, { version: '8.19.1', buildNumber: '8019001', displayName: 'Bitbucket' });
      case 'lock':
        return this.#lock();
      case 'start':
        return this.token === undefined || header !== this.token ? empty(409) : this.#start();
      case 'state':
        return this.token !== undefined && header !== this.token ? empty(409) : this.#state();
      case 'progress':
        if (token !== this.token) return empty(409);
        this.progress.push(percentage ?? Number.NaN);
        if (percentage === 100) this.task = undefined;
        return empty(202);
      case 'unlock':
        if (this.token === undefined) return empty(404);
        if (this.token !== token) return empty(409);
        this.restart();
        return empty(202);
      case 'cancel':
        if (this.task?.cancelToken !== token || !this.task) return empty(404);
        this.task.state = 'CANCELED';
        return empty(202);
      case 'page':
        return this.isLocked
          ? { status: 503, body: '<html>In maintenance</html>' }
          : { status: 200, body: '<html>Welcome</html>' };
      default:
        return call satisfies never;
    }
  }

  #lock(): Reply {
    if (this.token !== undefined) return json(409, { errors: [{ message: 'already locked' }] });
    this.#sequence += 1;
    this.token = `unlock-${this.#sequence}`;
    this.tokens.push(this.token);
    return json(202, { unlockToken: this.token, owner: { name: 'admin', displayName: 'Admin' } });
  }

  #start(): Reply {
    this.#polls = 0;
    this.task = { id: `task-${this.#sequence}`, state: 'RUNNING', cancelToken: `cancel-${this.#sequence}` };
    return json(202, { ...this.task, type: 'BACKUP', progress: { message: '', percentage: 0 } });
  }

  #state(): Reply {
    this.#polls += 1;
    const busy = this.#polls > this.pollsToDrain ? 'DRAINED' : 'LATCHED';
    const state = this.task ? busy : 'AVAILABLE';
    const { task } = this;
    const shown = task && { id: task.id, type: 'BACKUP', state: task.state, progress: {} };
    return json(200, { ...(shown ? { task: shown } : {}), 'db-state': state, 'scm-state': state });
  }
}

export function json(status: number, body: object): Reply {
  return { status, body };
}

export function empty(status: number): Reply {
  return { status, body: undefined };
}
