import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Where a statement is kept: on its way to the server, or its answer on the way back. */
export type Direction = 'sent' | 'answered';

/**
 * Stands between the program and PostgreSQL, counts the statements from a moment on, and keeps one of them, or its
 * answer, until it is let go.
 */
export class DatabaseProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #targetPort: number;
  #statements: string[] | undefined;
  #keepAt: { readonly index: number; readonly direction: Direction } | undefined;
  #kept: (() => void)[] = [];
  #isKeeping = false;
  #tell: (() => void) | undefined;

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer(socket => this.#serve(socket));
  }

  static async start(targetPort: number): Promise<DatabaseProxy> {
    const proxy = new DatabaseProxy(targetPort);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** The same database, through this proxy. */
  url(databaseUrl: string): string {
    const url = new URL(databaseUrl);
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.toString();
  }

  /** Counts from here on; resolves when the statement is kept. Without one it only counts. */
  watch(keepAt?: { readonly index: number; readonly direction: Direction }): Promise<void> {
    this.#statements = [];
    this.#keepAt = keepAt;
    return new Promise(resolve => {
      this.#tell = resolve;
    });
  }

  /** The statements since `watch`; counts no more, and lets go of what is kept. */
  stop(): string[] {
    const statements = this.#statements ?? [];
    this.#statements = undefined;
    this.#keepAt = undefined;
    this.#isKeeping = false;
    for (const pass of this.#kept.splice(0)) pass();
    return statements;
  }

  /** Breaks every connection. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.reset();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(client: Socket): void {
    const server = connect(this.#targetPort, '127.0.0.1');
    let isAnswerKept = false;
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
    client.on('data', piece => {
      const direction = this.#count(piece);
      if (direction === 'answered') isAnswerKept = true;
      if (this.#isKeeping && direction === 'sent') this.#kept.push(() => server.write(piece));
      else server.write(piece);
    });
    server.on('data', piece => {
      if (isAnswerKept && this.#isKeeping) this.#kept.push(() => client.write(piece));
      else client.write(piece);
    });
  }

  /** Whether this piece is the statement to keep. The program sends a statement in one piece, whatever is behind it. */
  #count(piece: Buffer): Direction | undefined {
    const type = String.fromCharCode(piece[0] ?? 0);
    if (!this.#statements || (type !== 'Q' && type !== 'P')) return undefined;
    const text =
      piece
        .subarray(5)
        .toString('utf8')
        .split('\0')
        .find(part => part !== '') ?? '';
    this.#statements.push(text.replace(/\s+/g, ' ').slice(0, 60));
    if (this.#statements.length - 1 !== this.#keepAt?.index) return undefined;
    this.#isKeeping = true;
    this.#tell?.();
    return this.#keepAt.direction;
  }
}
