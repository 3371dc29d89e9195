import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

type Taker = (bytes: Buffer) => void;

const readBytes = 64 * 1024;
/** Of our own sockets: who takes bytes instead of the client. */
const takers = new WeakMap<Duplex, Taker | undefined>();

/**
 * The socket of a new client. Without TLS it reads into memory that is used again: a buffer for each read is what makes
 * the collector busy during a COPY. The client gives its configuration, though its type does not say so.
 */
export function makeSocket(config?: { readonly ssl?: unknown }): Socket {
  if (!config || config.ssl) return new Socket();
  const callback = (count: number, buffer: Uint8Array): boolean => {
    const bytes = Buffer.from(buffer.buffer, buffer.byteOffset, count);
    const taker = takers.get(socket);
    if (taker) taker(bytes);
    else socket.emit('data', Buffer.from(bytes)); // the client keeps what it gets
    return true;
  };
  const socket: Socket = new Socket({
    onread: { buffer: Buffer.allocUnsafeSlow(readBytes), callback },
  } as ConstructorParameters<typeof Socket>[0]);
  takers.set(socket, undefined);
  return socket;
}

/** Everything the socket yields goes to the taker, which copies what it keeps. Returns what takes it back. */
export function takeFrom(socket: Duplex, taker: Taker): { giveBack(rest: readonly Buffer[]): void } {
  const listeners = socket.listeners('data') as Taker[];
  const [client] = listeners;
  if (!client || listeners.length !== 1)
    throw new Error(`Cannot copy: ${listeners.length} listen to the connection`);
  const isOwn = takers.has(socket);
  if (isOwn) takers.set(socket, taker);
  else {
    socket.on('data', taker);
    socket.off('data', client);
  }
  return {
    giveBack(rest) {
      if (isOwn) takers.set(socket, undefined);
      else {
        socket.on('data', client);
        socket.off('data', taker);
      }
      for (const bytes of rest) client(bytes);
      if (socket.isPaused()) socket.resume();
    },
  };
}
