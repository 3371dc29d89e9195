import { createStore } from '../../store/index.ts';
import type { Command } from '../context.ts';
import { openBackend } from '../open-store.ts';
import { readPassphrase } from '../settings/secrets.ts';

/** Makes a store in an empty or absent folder. */
export const init: Command<object> = async context => {
  const backend = await openBackend(context, { create: true });
  await using store = await createStore(backend, {
    passphrase: await readPassphrase(context, { isNew: true }),
    seams: context.seams,
    ...(context.kdf && { kdf: context.kdf }),
  });
  context.output.result(
    { messageType: 'summary', store: store.location, id: store.id },
    `Made store ${store.id.slice(0, 8)} in ${store.location}.\nKeep its passphrase in a second place: without it nothing can be restored.`,
  );
  return 0;
};
