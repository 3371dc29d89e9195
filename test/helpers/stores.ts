import {
  type Backend,
  createStore,
  type Kdf,
  memoryBackend,
  openStore,
  type Randomness,
  type Seams,
  type Store,
  systemClock,
  systemSeams,
} from '../../store/index.ts';

export const testPassphrase = 'correct horse battery staple';

/** Costs about a millisecond. */
export const cheapKdf: Kdf = { type: 'scrypt', cost: 2, blockSize: 1, lanes: 1 };

/** A new store in memory, or on another empty backend. */
export async function makeStore({
  backend = memoryBackend(),
  seams = systemSeams,
  like,
}: {
  readonly backend?: Backend;
  readonly seams?: Seams;
  readonly like?: Store;
} = {}): Promise<Store> {
  return createStore(backend, { passphrase: testPassphrase, seams, kdf: cheapKdf, ...(like && { like }) });
}

/** Opens what makeStore made. */
export async function reopenStore(backend: Backend, seams: Seams = systemSeams): Promise<Store> {
  return openStore(backend, { passphrase: testPassphrase, seams });
}

/** Time and randomness that are the same on every run; for goldens and replays, never for real data. */
export function fixedSeams(seed = 1): Seams {
  let nowMs = 1_750_000_000_000;
  return {
    clock: {
      ...systemClock,
      nowMs: () => nowMs++,
      nowNs: () => BigInt(nowMs++) * 1_000_000n,
    },
    randomness: seededRandomness(seed),
  };
}

/** Mulberry32: not secret, but the same bytes for the same seed on every machine. */
export function seededRandomness(seed: number): Randomness {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 24;
  };
  return { bytes: count => Uint8Array.from({ length: count }, next) };
}
