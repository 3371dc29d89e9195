import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface Proxy extends AsyncDisposable {
  readonly port: number;
  /** The same address, through it. */
  through(url: string): string;
}

/** Between us and a server: passes everything on, and lets a test change what the server says. */
export async function startProxy(port: number, change: (bytes: Buffer) => Buffer): Promise<Proxy> {
  const open = new Set<Socket>();
  const server = createServer(client => {
    const upstream = connect(port, '127.0.0.1');
    upstream.on('data', bytes => void client.write(change(bytes)));
    client.on('data', bytes => void upstream.write(bytes));
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(one);
      one.on('error', () => {}); // either end may cut it
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const own = typeof address === 'object' && address ? address.port : 0;
  return {
    port: own,
    through(url) {
      const found = new URL(url);
      found.port = String(own);
      return found.href;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
