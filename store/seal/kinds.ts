/** Whose key an object is sealed under. Each purpose has its own key in each epoch, so that it can be handed out alone. */
export type Purpose = keyof typeof purposeNames;

const purposeNames = {
  /** Under a ring key, which the passphrases open. */
  ring: true,
  /** Contents. */
  data: true,
  /** Listings, manifests, what verification found. */
  metadata: true,
  /** Where chunks are, and the protocol between hosts; a write-only host holds this key. */
  index: true,
} as const;

interface KindFacts {
  readonly byte: number;
  readonly purpose: Purpose;
}

/** Every kind of sealed object. The name is part of the key derivation, the byte of the header. */
export const objectKinds = {
  ring: { byte: 1, purpose: 'ring' },
  'data-pack': { byte: 2, purpose: 'data' },
  'metadata-pack': { byte: 3, purpose: 'metadata' },
  index: { byte: 4, purpose: 'index' },
  manifest: { byte: 5, purpose: 'metadata' },
  aborted: { byte: 6, purpose: 'index' },
  session: { byte: 7, purpose: 'index' },
  heartbeat: { byte: 8, purpose: 'index' },
  intent: { byte: 9, purpose: 'index' },
  generation: { byte: 10, purpose: 'index' },
  sweep: { byte: 11, purpose: 'index' },
  done: { byte: 12, purpose: 'index' },
  forgotten: { byte: 13, purpose: 'index' },
  damage: { byte: 14, purpose: 'index' },
  ledger: { byte: 15, purpose: 'metadata' },
  hold: { byte: 16, purpose: 'metadata' },
  parity: { byte: 17, purpose: 'index' },
} as const satisfies Record<string, KindFacts>;

export type ObjectKind = keyof typeof objectKinds;

const kindOfByte: ReadonlyMap<number, ObjectKind> = new Map(
  (Object.keys(objectKinds) as ObjectKind[]).map(kind => [objectKinds[kind].byte, kind]),
);

/** Undefined for a byte that this program does not know. */
export function kindFromByte(byte: number): ObjectKind | undefined {
  return kindOfByte.get(byte);
}
