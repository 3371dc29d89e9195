import { isStoreError, type SnapshotId, type StillpointError, storeError } from '../store/index.ts';

/** What was to be read where bytes of it are not to be had; then the snapshot is named with it. */
const subject = 'subject';

/** Runs a read; where the store does not give the bytes, the error says of what they were. */
export async function naming<T>(what: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw named(error, what);
  }
}

/** As naming, for what comes in pieces. */
export async function* namingAll<T>(what: string, parts: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* parts;
  } catch (error) {
    throw named(error, what);
  }
}

/** Says what is lost and in which snapshot, and what to do next. Any other error passes unchanged. */
export function inSnapshot(error: unknown, id: SnapshotId): unknown {
  if (!isLoss(error)) return error;
  const { cause, context } = error;
  const known = context[subject];
  const what =
    typeof known === 'string' ? `${known} of snapshot ${id.slice(0, 8)}` : `snapshot ${id.slice(0, 8)}`;
  const reason = typeof known === 'string' && cause instanceof Error ? cause.message : error.message;
  return storeError(error.code, `Cannot read ${what}: ${reason}`, {
    remedy: error.code === 'STORE_READ_FAILED' ? mediumFirst(error) : next(id),
    context,
    cause: error,
  });
}

const next = (id: SnapshotId): string =>
  `\`stillpoint verify ${id.slice(0, 8)} --read-data\` names all that is lost of it. \`stillpoint repair\` heals what can be healed, and makes a snapshot of what is left, if anything is, which can be restored.`;

const mediumFirst = ({ remedy }: StillpointError): string =>
  `${remedy ?? 'Check the disk of the store.'} Nothing need be lost: restore again, or from a copy of the store.`;

function named(error: unknown, what: string): unknown {
  if (!isLoss(error) || error.context[subject] !== undefined) return error;
  return storeError(error.code, `Cannot read ${what}: ${error.message}`, {
    ...(error.remedy !== undefined && { remedy: error.remedy }),
    context: { ...error.context, [subject]: what },
    cause: error,
  });
}

const losses = ['STORE_DAMAGED', 'STORE_OBJECT_MISSING', 'STORE_READ_FAILED'] as const;
type Loss = (typeof losses)[number];

function isLoss(error: unknown): error is StillpointError<Loss> {
  return isStoreError(error) && losses.some(code => code === error.code);
}
