import type { Connection } from './connection.ts';

/** Works through a list, one item on each connection at a time; the first failure cuts them all and is the one thrown. */
export async function onEach<T>(
  connections: readonly Connection[],
  items: Iterable<T>,
  work: (connection: Connection, item: T) => Promise<void>,
): Promise<void> {
  const queue = items[Symbol.iterator]();
  let failure: { readonly error: unknown } | undefined;
  await Promise.all(
    connections.map(async connection => {
      try {
        for (let next = queue.next(); !next.done && !failure; next = queue.next())
          await work(connection, next.value);
      } catch (error) {
        if (failure) return; // a consequence of the first
        failure = { error };
        for (const other of connections) other.destroy();
      }
    }),
  );
  if (failure) throw failure.error;
}
