import type { StoreContext } from '../context.ts';
import { isStoreError, storeError } from '../errors.ts';
import { holds } from '../put-own.ts';
import { type OpenKeys, ringBytesMax, ringName } from './layout.ts';
import { type RingBody, type RingKey, type RingPlace, sealRing } from './ring.ts';

export interface NextRing {
  readonly body: RingBody;
  readonly ringKey: RingKey;
}

/**
 * Creates the ring after the one that was opened; from then on it is the one in use. Its number is the next: of two
 * changes at once one is refused. STORE_LOCKED: another was first, for certain. Any other error: nobody can say.
 */
export async function putNextRing(
  { backend, ring, seams }: Pick<StoreContext, 'backend' | 'ring' | 'seams'>,
  { ringNumber }: Pick<OpenKeys, 'ringNumber'>,
  { body, ringKey }: NextRing,
): Promise<number> {
  const { storeId, blake3 } = ring;
  const place: RingPlace = { storeId, blake3, ringKey, name: ringName(ringNumber + 1) };
  const { name } = place;
  const bytes = sealRing(body, place, seams.randomness);
  if ((await putTwice(() => backend.put(name, bytes))) !== 'created') {
    if (!(await holds(backend, { name, parts: [bytes] })))
      throw storeError('STORE_LOCKED', 'Cannot change the keys: another run changed them meanwhile', {
        remedy: 'See `stillpoint keys list`, and run the command again if it is still wanted.',
        context: { object: name },
      });
  }
  const back = await backend.get(name, { bytesMax: ringBytesMax });
  if (Buffer.compare(back, bytes) === 0) return ringNumber + 1;
  // It is not taken back: who read it right may have written under it by now.
  throw storeError('STORE_DAMAGED', `Cannot use ${name}: what was read back is not what was written`, {
    remedy: `Look at the medium. If no command opens the store any more, delete ${name}: the ring before it and its slots are still there.`,
    context: { object: name },
  });
}

/** A put that failed may have created its object all the same: asked again, it says so. */
async function putTwice(put: () => Promise<'created' | 'exists'>): Promise<'created' | 'exists'> {
  try {
    return await put();
  } catch (error) {
    if (!isStoreError(error)) throw error;
    return put().catch(() => {
      throw error; // the first failure says why
    });
  }
}

/** Nothing changed since these keys were opened. STORE_LOCKED. */
export function refuseUnlessNewest(
  { ringNumber }: Pick<OpenKeys, 'ringNumber'>,
  ringNumbers: readonly number[],
): void {
  if (ringNumbers.at(-1) === ringNumber) return;
  throw storeError('STORE_LOCKED', 'Cannot change the keys: another run changed them meanwhile', {
    remedy: 'Run the command again, with a passphrase that opens the store now.',
  });
}
