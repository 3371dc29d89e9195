import type { Submittable, Connection as Wire } from 'pg';
import { takeFrom } from './socket.ts';

type Socket = Wire['stream'];

/** So much may wait for whoever takes it, and what the sockets hold besides. */
const waitingBytesMax = 256 * 1024;
/** What comes is gathered here, so that it is taken in few turns. */
const gatheredBytes = waitingBytesMax + 64 * 1024;
/** Two of a connection: one is filled while the other is read. Used for all of its COPYs. */
const memories = new WeakMap<Socket, readonly [Buffer, Buffer]>();

function memoryOf(socket: Socket): [Buffer, Buffer] {
  const made = memories.get(socket) ?? [
    Buffer.allocUnsafeSlow(gatheredBytes),
    Buffer.allocUnsafeSlow(gatheredBytes),
  ];
  memories.set(socket, made as [Buffer, Buffer]);
  return [made[0]!, made[1]!];
}

/**
 * A COPY … TO STDOUT whose messages are given as the socket yields them, many rows at a time; a message each is what
 * takes pg longest. From the first message on that is not for us the client reads on by itself.
 */
export class CopyQuery implements Submittable {
  readonly #sql: string;
  #socket: Socket | undefined;
  #taking: ReturnType<typeof takeFrom> | undefined;
  #filled: Buffer = Buffer.alloc(0);
  #other: Buffer = Buffer.alloc(0);
  #filledBytes = 0;
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

  /** The next bytes, good until the next call. Rejects when the connection fails. */
  async next(): Promise<Buffer> {
    while (this.#filledBytes === 0) {
      if (this.#end) throw 'error' in this.#end ? this.#end.error : new Error('the COPY ended early');
      await this.#change();
    }
    const bytes = this.#takeFilled();
    if (this.#socket?.isPaused()) this.#socket.resume();
    return bytes;
  }

  /** Lets the client read these bytes and all that follow. */
  giveBack(bytes: Uint8Array): void {
    // The client keeps what it gets.
    this.#taking!.giveBack([bytes, this.#takeFilled()].map(part => Buffer.from(part)));
  }

  /** For the client. */
  submit(wire: Wire): void {
    this.#socket = wire.stream;
    [this.#filled, this.#other] = memoryOf(this.#socket);
    this.#taking = takeFrom(this.#socket, bytes => this.#gather(bytes));
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

  #gather(bytes: Buffer): void {
    const end = this.#filledBytes + bytes.length;
    if (end > this.#filled.length) this.#filled = Buffer.concat([this.#filled], end + gatheredBytes);
    bytes.copy(this.#filled, this.#filledBytes);
    this.#filledBytes = end;
    if (end > waitingBytesMax) this.#socket?.pause();
    this.#wake?.();
  }

  #takeFilled(): Buffer {
    const bytes = this.#filled.subarray(0, this.#filledBytes);
    [this.#filled, this.#other] = [this.#other, this.#filled];
    this.#filledBytes = 0;
    return bytes;
  }

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
