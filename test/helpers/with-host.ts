import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Ended, runHere } from '../../bench/rig/index.ts';
import { createStore, openLocalBackend, systemSeams } from '../../store/index.ts';
import { scratchFolder } from './scratch.ts';
import { cheapKdf } from './stores.ts';

/** A home, a store with one write-only host, and the program on either side of it. */
export async function withHost(more: readonly string[] = []) {
  const scratch = scratchFolder();
  const at = (...names: string[]) => join(scratch.path, ...names);
  mkdirSync(at('home'));
  writeFileSync(at('home', 'file'), 'what is backed up\n'.repeat(50));
  const backend = await openLocalBackend(at('store'), { create: true });
  await (await createStore(backend, { passphrase: 'first', seams: systemSeams, kdf: cheapKdf })).close();
  writeFileSync(
    at('config.yaml'),
    [
      'instance: small',
      `store: ${at('store')}`,
      `home: { path: ${at('home')} }`,
      'database: { type: none }',
      'app: { type: none }',
      ...more,
    ].join('\n'),
  );
  const env = {
    STILLPOINT_CONFIG: at('config.yaml'),
    STILLPOINT_STATE_DIR: at('state'),
    STILLPOINT_CACHE_DIR: at('cache'),
  };
  const run = (args: readonly string[], own: Readonly<Record<string, string>>): Promise<Ended> =>
    runHere(args, { cwd: scratch.path, env: { ...env, ...own }, kdf: cheapKdf });
  const holder = (...args: string[]) => run(args, { STILLPOINT_PASSPHRASE: 'first' });
  const host = (...args: string[]) => run(args, { STILLPOINT_KEY_FILE: 'host.key' });
  assert.equal((await holder('keys', 'add', '--write-only', '--name', 'attic', '-o', 'host.key')).code, 0);
  return { at, env, holder, host, [Symbol.dispose]: () => scratch[Symbol.dispose]() };
}
