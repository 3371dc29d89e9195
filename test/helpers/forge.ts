import { type CborValue, encodeCbor, hex, type SessionId, type Store } from '../../store/index.ts';
import { createSeal, type ObjectKind } from '../../store/seal/index.ts';
import { insideOf } from '../../store/store.ts';

/**
 * Writes a record that the program would not: whatever kind and fields, sealed and signed with all that the key of a
 * write-only host gives. True: the name was free.
 */
export async function forge(
  host: Store,
  {
    kind,
    name,
    session = hex(new Uint8Array(32)) as SessionId,
  }: { readonly kind: ObjectKind; readonly name: string; readonly session?: SessionId },
  fields: readonly CborValue[],
): Promise<boolean> {
  const { ring, backend, seams } = insideOf(host).context;
  const seal = createSeal(ring, { kind, session, name, randomness: seams.randomness });
  const body = encodeCbor(
    new Map<number, CborValue>([[0, []], ...fields.map((value, i): [number, CborValue] => [i + 1, value])]),
  );
  const signature = ring.self!.signer.sign(seal.signedBytes(body));
  const sealed = seal.seal(0n, Buffer.concat([Uint8Array.of(signature.length), signature, body]));
  return (await backend.put(name, Buffer.concat([seal.header, sealed]))) === 'created';
}
