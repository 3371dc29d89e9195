import { forget } from '../../store/forget.ts';
import { createStore, type Kdf, openLocalBackend, type Store, systemSeams } from '../../store/index.ts';
import { insideOf } from '../../store/store.ts';
import { backUpFiles, type SmallBackup } from './backup-files.ts';

export const passphrase = 'beside each other';
/** A bench is about other things. */
const kdf: Kdf = { type: 'scrypt', cost: 2, blockSize: 1, lanes: 1 };

/** What every run begins with: three snapshots that share contents, of which the first is forgotten. */
export async function makeTemplate(
  folder: string,
): Promise<{ readonly store: Store; readonly before: readonly SmallBackup[] }> {
  const backend = await openLocalBackend(folder, { create: true });
  const store = await createStore(backend, { passphrase, seams: systemSeams, kdf });
  const first = await backUpFiles(store, { host: 'before', files: 'abcd' });
  const second = await backUpFiles(store, { host: 'before', files: 'bef' });
  const third = await backUpFiles(store, { host: 'before', files: 'ag' });
  await forget(insideOf(store).context, first.id, { reason: 'a bench' });
  return { store, before: [second, third] };
}
