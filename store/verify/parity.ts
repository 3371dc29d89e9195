import { isStoreError } from '../errors.ts';
import type { PackId } from '../ids.ts';
import { packName } from '../pack/row.ts';
import { disagreeingBlock, type Parity } from '../parity/code.ts';
import { parityName, parityRecord } from '../parity/record.ts';
import { openRecord } from '../record.ts';
import { headerBytes, openSeal } from '../seal/index.ts';
import { callOf, checked, readObject, type VerifyRun } from './run.ts';

/** Its header alone: all parity together is a thirtieth of the packs, and no snapshot depends on it. */
export async function verifyParityHeader(run: VerifyRun, name: string): Promise<boolean> {
  return checked(run, { kind: 'parity', object: name }, async () => {
    const { backend, ring } = run.context;
    const range = { ...callOf(run), offset: 0, length: headerBytes };
    // A prune takes it away once its pack is gone.
    const header = await backend.get(name, range).catch(unlessMissing);
    if (header === undefined) return;
    run.counts.bytesRead += header.length;
    openSeal(ring, header, { kind: 'parity', name });
  });
}

/** Compares parity with a pack that is read; what is no damage of the pack is one of the parity. */
export class ParityCheck {
  readonly #run: VerifyRun;
  readonly #pack: PackId;
  readonly #parity: Parity | undefined;
  readonly #otherBytes: number | undefined;
  #disagrees: number | undefined;

  private constructor(
    run: VerifyRun,
    {
      pack,
      bytes,
      parity,
    }: { readonly pack: PackId; readonly bytes: number; readonly parity: Parity | undefined },
  ) {
    this.#run = run;
    this.#pack = pack;
    const isOfThese = parity?.packBytes === bytes;
    this.#parity = isOfThese ? parity : undefined;
    this.#otherBytes = isOfThese ? undefined : parity?.packBytes;
  }

  static async open(
    run: VerifyRun,
    { pack, bytes }: { readonly pack: PackId; readonly bytes: number },
  ): Promise<ParityCheck> {
    const name = parityName(pack);
    let parity: Parity | undefined;
    await checked(run, { kind: 'parity', object: name }, async () => {
      const object = await readObject(run, name).catch(unlessMissing);
      if (object === undefined) return;
      const { fields } = openRecord(run.context.ring, object, { kind: 'parity', name });
      parity = parityRecord.decode(fields, name);
    });
    return new ParityCheck(run, { pack, bytes, parity });
  }

  /** Bytes of the pack from an offset; blocks that are in them wholly are compared. */
  add(offset: number, bytes: Uint8Array): void {
    if (this.#parity !== undefined) this.#disagrees ??= disagreeingBlock(this.#parity, { offset, bytes });
  }

  /** Call it for a pack that was found whole. One that was cut or grew is not its parity's fault, which may heal it. */
  conclude(): void {
    const what = packName(this.#pack);
    const state =
      this.#otherBytes !== undefined
        ? `It is of a pack of ${this.#otherBytes} bytes, and ${what}, which is whole, has others`
        : this.#disagrees !== undefined
          ? `Its check of block ${this.#disagrees} is not that of ${what}, which is whole`
          : undefined;
    if (state !== undefined) this.#run.report.add('parity', parityName(this.#pack), { state });
  }
}

function unlessMissing(error: unknown): undefined {
  if (isStoreError(error) && error.code === 'STORE_OBJECT_MISSING') return undefined;
  throw error;
}
