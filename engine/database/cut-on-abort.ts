/** While something runs an abort cuts every connection: whatever waits on one fails at once, with the reason of the abort. */
export async function cutOnAbort<T>(
  connections: readonly { destroy(): void }[],
  { signal, body }: { readonly signal: AbortSignal | undefined; readonly body: () => Promise<T> },
): Promise<T> {
  signal?.throwIfAborted();
  const cut = (): void => {
    for (const connection of connections) connection.destroy();
  };
  signal?.addEventListener('abort', cut, { once: true });
  try {
    return await body();
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  } finally {
    signal?.removeEventListener('abort', cut);
  }
}
