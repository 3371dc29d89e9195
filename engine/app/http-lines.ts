import type { Agent, ClientRequest } from 'node:http';
import type { Duplex } from 'node:stream';
import { urlToHttpOptions } from 'node:url';

/** A connection that nobody used for so long is closed, or a second before the application would. */
const idleMs = 10_000;
const earlierMs = 1_000;

/** The connections to one origin. */
export interface Lines {
  /** A call that is not sent yet. */
  prepare(request: {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly aside?: boolean | undefined;
  }): ClientRequest;
  close(): void;
}

/** What speaks TLS is loaded where it is spoken. */
export async function openLines({ protocol, origin }: URL): Promise<Lines> {
  const { Agent, request } = protocol === 'https:' ? await import('node:https') : await import('node:http');
  const kept = { keepAlive: true, timeout: idleMs + earlierMs };
  const line = careful(new Agent({ ...kept, maxSockets: 1 }));
  const aside = careful(new Agent(kept));
  // Not a URL made of origin and path: a path that begins with two slashes would name another host.
  const { hostname, port } = urlToHttpOptions(new URL(origin));
  return {
    prepare: ({ method, path, headers, aside: isAside }) =>
      request({ hostname, port, method, path, headers: { ...headers }, agent: isAside ? aside : line }),
    close() {
      line.destroy();
      aside.destroy();
    },
  };
}

/**
 * A connection at rest is dropped as soon as anything comes on it: what nobody asked for (a proxy's 408, the rest of a
 * longer answer) could be taken for the answer of the next call. And it is dropped earlier than the application says it
 * would be: a call that meets the end of its connection is a call of which nobody knows whether it took effect.
 */
function careful(agent: Agent): Agent {
  const keep = agent.keepSocketAlive.bind(agent) as (socket: Duplex) => unknown;
  const reuse = agent.reuseSocket.bind(agent);
  agent.keepSocketAlive = socket => {
    const isKept = keep(socket);
    const rest = socket as Duplex & { timeout?: number; setTimeout(ms: number): void };
    rest.setTimeout(Math.max(1, (rest.timeout ?? 0) - earlierMs));
    socket.on('data', drop);
    return isKept;
  };
  agent.reuseSocket = (socket, call) => {
    socket.off('data', drop);
    reuse(socket, call);
  };
  return agent;
}

function drop(this: Duplex): void {
  this.destroy();
}
