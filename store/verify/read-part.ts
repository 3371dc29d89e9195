import { type SignedPart, signedPart } from '../chunk-index/load.ts';
import { decodeIndexPart } from '../chunk-index/parts.ts';
import { openRecord } from '../record.ts';
import { readObject, type VerifyRun } from './run.ts';

/** A part of the index as it lies there now. */
export async function readPart(run: VerifyRun, name: string): Promise<SignedPart> {
  const { fields, host } = openRecord(run.context.ring, await readObject(run, name), { kind: 'index', name });
  return signedPart(decodeIndexPart(fields, name), host);
}
