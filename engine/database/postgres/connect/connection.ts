import type { Client } from 'pg';
import type { ConnInfo } from './conninfo.ts';
import { databaseError } from './failure.ts';

/**
 * One backend. Statements run one at a time. After the connection is lost every call fails with DATABASE_FAILED; nothing
 * waits for ever and no 'error' event is left without a listener.
 */
export class Connection implements AsyncDisposable {
  readonly #client: Client;
  readonly serverVersionNumber: number;
  readonly backendPid: number;
  /** How it was to be reached; which of the hosts it is, the client knows. */
  readonly info: ConnInfo;
  #lost: unknown;

  constructor(
    client: Client,
    backend: { readonly pid: number; readonly versionNumber: number; readonly info: ConnInfo },
  ) {
    this.#client = client;
    this.info = backend.info;
    this.backendPid = backend.pid;
    this.serverVersionNumber = backend.versionNumber;
    client.on('error', error => {
      this.#lost ??= error;
    });
    client.on('end', () => {
      this.#lost ??= new Error('the connection was closed');
    });
  }

  /** For COPY streams and for readers of the catalogs. */
  get client(): Client {
    return this.#client;
  }

  /** `host:port/database`, for messages. */
  get address(): string {
    return addressOf(this.#client);
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** One statement; rows by column name. `action` names the work in the error: "Cannot <action>: …". */
  async rows<T>(action: string, sql: string): Promise<T[]> {
    this.#throwIfLost(action);
    try {
      return (await this.#client.query(sql)).rows as T[];
    } catch (error) {
      throw databaseError(action, error);
    }
  }

  /** Several statements in one message and one round trip; each one's rows as arrays of columns. */
  async script(action: string, statements: readonly string[]): Promise<(readonly unknown[])[][]> {
    this.#throwIfLost(action);
    try {
      const answer: unknown = await this.#client.query({ text: statements.join(';\n'), rowMode: 'array' });
      const results = (Array.isArray(answer) ? answer : [answer]) as { rows: (readonly unknown[])[] }[];
      return results.map(result => result.rows);
    } catch (error) {
      throw databaseError(action, error);
    }
  }

  /** Cuts the line at once: what runs on it fails, the server rolls back. The only safe way out of a COPY. */
  destroy(): void {
    this.#lost ??= new Error('the connection was cut');
    this.#client.connection.stream.destroy();
  }

  /** Idempotent, never throws. */
  async close(): Promise<void> {
    if (this.isLost) return this.destroy();
    await this.#client.end().catch(() => {}); // whatever it says, the connection is gone
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** What ended this connection, as the failure of an action. */
  lostError(action: string): Error {
    return databaseError(action, this.#lost);
  }

  #throwIfLost(action: string): void {
    if (this.isLost) throw this.lostError(action);
  }
}

/** `host:port/database`. */
export function addressOf(client: Client): string {
  return `${client.host}:${client.port}/${client.database ?? ''}`;
}
