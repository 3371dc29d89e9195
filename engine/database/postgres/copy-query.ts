import type { Submittable, Connection as Wire } from 'pg';

type Socket = Wire['stream'];
type DataListener = (bytes: Buffer) => void;

/** So much may wait for whoever takes it, and what the sockets hold besides. */
const waitingBytesMax = 512 * 1024;

/**
 * A COPY … TO STDOUT whose messages are given as the socket yields them, many rows at a time; a message each is what
 * takes pg longest. From the first message on that is not for us the client reads on by itself.
 */
export class CopyQuery implements Submittable {
  readonly #sql: string;
  #socket: Socket | undefined;
  #clientListener: DataListener | undefined;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #wake: (() => void) | undefined;
  #end: { readonly rows: number } | { readonly error: unknown } | undefined;
  #rows = -1;

  constructor(sql: string) {
    this.#sql = sql;
  }

  /** Rows as the server counted them; rejects when it, or the connection, failed. Waits for `giveBack`. */
  async rows(): Promise<number> {
    while (!this.#end) await this.#change();
    if ('error' in this.#end) throw this.#end.error;
    return this.#end.rows;
  }

  /** The next bytes, which are the caller's. Rejects when the connection fails. */
  async next(): Promise<Buffer> {
    for (;;) {
      const bytes = this.#waiting.shift();
      if (bytes) {
        this.#waitingBytes -= bytes.length;
        if (2 * this.#waitingBytes < waitingBytesMax && this.#socket?.isPaused()) this.#socket.resume();
        return bytes;
      }
      if (this.#end) throw 'error' in this.#end ? this.#end.error : new Error('the COPY ended early');
      await this.#change();
    }
  }

  /** Lets the client read these bytes and all that follow. */
  giveBack(bytes: Uint8Array): void {
    const [socket, listener] = [this.#socket!, this.#clientListener!];
    socket.on('data', listener);
    socket.off('data', this.#onData);
    const all = [Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), ...this.#waiting];
    this.#waiting = [];
    for (const one of all) listener(one);
    if (socket.isPaused()) socket.resume();
  }

  /** For the client. */
  submit(wire: Wire): void {
    this.#socket = wire.stream;
    const listeners = this.#socket.listeners('data') as DataListener[];
    if (listeners.length !== 1) throw new Error(`Cannot copy: ${listeners.length} listen to the connection`);
    this.#clientListener = listeners[0]!;
    this.#socket.on('data', this.#onData);
    this.#socket.off('data', this.#clientListener);
    wire.query(this.#sql);
  }

  /** For the client. */
  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#rows = Number(/^COPY (\d+)$/.exec(text)?.[1] ?? -1);
  }

  /** For the client. */
  handleReadyForQuery(): void {
    this.#settle({ rows: this.#rows });
  }

  /** For the client. */
  handleError(error: unknown): void {
    this.#settle({ error });
  }

  readonly #onData: DataListener = bytes => {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes > waitingBytesMax) this.#socket?.pause();
    this.#wake?.();
  };

  #settle(end: { readonly rows: number } | { readonly error: unknown }): void {
    this.#end ??= end;
    this.#wake?.();
  }

  #change(): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve;
    });
  }
}
