import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { Worker } from 'node:worker_threads';

/** Told of every piece that arrives, and of a connection, with an empty piece, when it is made. */
type Script = (socket: Socket, arrived: { readonly piece: string }) => void;

export interface RawServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** First lines of what arrived. */
  readonly seen: readonly string[];
  readonly connections: number;
  readonly open: ReadonlySet<Socket>;
}

/** Speaks no protocol: writes what its script writes. */
export async function rawServer(
  script: Script,
  { host = '127.0.0.1', port = 0, secure = false } = {},
): Promise<RawServer> {
  const seen: string[] = [];
  const open = new Set<Socket>();
  let connections = 0;
  const serve = (socket: Socket | TLSSocket) => {
    connections += 1;
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => undefined); // the other side cuts it
    socket.on('data', bytes => {
      const piece = bytes.toString('latin1');
      seen.push(piece.split('\r\n')[0] ?? '');
      script(socket, { piece });
    });
    script(socket, { piece: '' });
  };
  const server: Server = secure ? createTlsServer({ key, cert: certificate }, serve) : createServer(serve);
  server.on('tlsClientError', () => undefined);
  server.listen({ port, host });
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  return {
    port: address.port,
    url: `${secure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    seen,
    open,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** An address where connections are asked for and never come to be: as of a host that went away. Linux alone. */
export async function deadAddress(host: string): Promise<AsyncDisposable & { readonly port: number }> {
  // Accepts nobody, since its thread stands still, and its queue is full.
  const worker = new Worker(
    `const { createServer } = require('node:net');
    const { parentPort, workerData } = require('node:worker_threads');
    const server = createServer().listen({ port: 0, host: workerData, backlog: 1 }, () => {
      parentPort.postMessage(server.address().port);
      setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
    });`,
    { eval: true, workerData: host },
  );
  const [port] = (await once(worker, 'message')) as [number];
  const filling = [1, 2, 3].map(() => connect({ port, host }).on('error', () => undefined));
  await Promise.all(filling.slice(0, 2).map(socket => once(socket, 'connect')));
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of filling) socket.destroy();
      await worker.terminate();
    },
  };
}

/** For 127.0.0.1 and localhost, signed by itself; of these tests alone. */
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgFEDIZ8h/s1IoJBMD
APSpzWi3kOlvOK04lTxWmun5TEuhRANCAAR9qhL/9jq/TLv5WryI0Ezhs+7BTWls
5KCjueV8VBY5UXDNdoXi9zZOmV4fQsotBcDl6KRikzUWw7ZQG6cReSCi
-----END PRIVATE KEY-----`;
export const certificate = `-----BEGIN CERTIFICATE-----
MIIBZjCCAQ2gAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABH2qEv/2Or9Mu/la
vIjQTOGz7sFNaWzkoKO55XxUFjlRcM12heL3Nk6ZXh9Cyi0FwOXopGKTNRbDtlAb
pxF5IKKjTjBMMA8GA1UdEwEB/wQFMAMBAf8wGgYDVR0RBBMwEYcEfwAAAYIJbG9j
YWxob3N0MB0GA1UdDgQWBBSM1/evKljZ7aTvCgSXBBda/OV+OzAKBggqhkjOPQQD
AgNHADBEAiBdzbwUmi/GaZgOmxivN2XeBQQUtPtb9D+11XQU+sZEsgIgHufIqEhQ
+x0r0+K0EuqUh3t8vnoW8dZe+TvckC6f5j8=
-----END CERTIFICATE-----`;
