import { isStoreError, storeError } from '../errors.ts';
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
  #disagrees: number | undefined;

  private constructor(run: VerifyRun, pack: PackId, parity: Parity | undefined) {
    this.#run = run;
    this.#pack = pack;
    this.#parity = parity;
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
      const read = parityRecord.decode(fields, name);
      if (read.packBytes !== bytes)
        throw storeError('STORE_DAMAGED', `Cannot use ${name}: it is of a pack of ${read.packBytes} bytes`);
      parity = read;
    });
    return new ParityCheck(run, pack, parity);
  }

  /** Bytes of the pack from an offset; blocks that are in them wholly are compared. */
  add(offset: number, bytes: Uint8Array): void {
    if (this.#parity !== undefined) this.#disagrees ??= disagreeingBlock(this.#parity, { offset, bytes });
  }

  /** Call it for a pack that was found whole. */
  conclude(): void {
    if (this.#disagrees === undefined) return;
    const state = `Its check of block ${this.#disagrees} is not that of ${packName(this.#pack)}, which is whole`;
    this.#run.report.add('parity', parityName(this.#pack), { state });
  }
}

function unlessMissing(error: unknown): undefined {
  if (isStoreError(error) && error.code === 'STORE_OBJECT_MISSING') return undefined;
  throw error;
}
