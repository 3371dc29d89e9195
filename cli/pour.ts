import type { Context } from './context.ts';

/**
 * Prints data as it comes, no faster than it is taken. Ends quietly when nobody reads any more, and at once when the
 * run is interrupted.
 */
export async function pour(
  { output, signal }: Pick<Context, 'output' | 'signal'>,
  pieces: AsyncIterable<Uint8Array | string>,
): Promise<void> {
  let interrupt = (): void => undefined;
  const interrupted = new Promise<never>((_, reject) => {
    interrupt = () => reject(signal.reason);
  });
  interrupted.catch(() => undefined); // it may come when nothing waits
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    for await (const piece of pieces) {
      signal.throwIfAborted();
      if (!(await Promise.race([output.data(piece), interrupted]))) return;
    }
  } finally {
    signal.removeEventListener('abort', interrupt);
  }
}

/** One JSON document with a long list in it, piece by piece: `{…head, "name": […], …tail}`. */
export async function* jsonDocument(parts: {
  readonly head: Readonly<Record<string, unknown>>;
  readonly lists: readonly (readonly [name: string, items: AsyncIterable<unknown>])[];
  readonly tail?: () => Readonly<Record<string, unknown>>;
  readonly toText: (value: unknown) => string;
}): AsyncGenerator<string> {
  const { toText } = parts;
  const inner = (document: Readonly<Record<string, unknown>>) => toText(document).slice(1, -1);
  let text = `{${inner(parts.head)}`;
  for (const [name, items] of parts.lists) {
    text += `,${toText(name)}:[`;
    let isFirst = true;
    for await (const item of items) {
      text += `${isFirst ? '' : ','}${toText(item)}`;
      isFirst = false;
      if (text.length < pieceChars) continue;
      yield text;
      text = '';
    }
    text += ']';
  }
  const tail = inner(parts.tail?.() ?? {});
  yield `${text}${tail === '' ? '' : `,${tail}`}}\n`;
}

const pieceChars = 64 * 1024;
