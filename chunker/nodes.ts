import { checkHashedParams, type NodeCutParams } from './params.ts';
import { type SipHash, sipHash24 } from './siphash.ts';

export interface NodeCutQuestion {
  /** 0 = leaf. */
  readonly level: number;
  /** The key of the entry that was added last. */
  readonly key: Uint8Array;
  /** Encoded size of that entry. */
  readonly entryBytes: number;
  /** Encoded size of all entries of the node so far, that one included. */
  readonly sizeBytes: number;
}

/**
 * Whether a node ends after the entry added last: when sizeBytes ≥ maxBytes, or when sizeBytes ≥ minBytes and
 * h * (averageBytes - minBytes) < 2^32 * entryBytes, h being the first four bytes, little-endian, of SipHash-2-4 under
 * the nodes key of one level byte and the entry's key. A node is over the maximum by less than its last entry.
 */
export function isNodeCut(question: NodeCutQuestion, params: NodeCutParams): boolean {
  const hash = hashOf(params);
  const { level, key, entryBytes, sizeBytes } = question;
  if (sizeBytes < params.minBytes) return false;
  if (sizeBytes >= params.maxBytes) return true;
  const message = new Uint8Array(1 + key.length);
  message[0] = level;
  message.set(key, 1);
  return hash(message).low * (params.averageBytes - params.minBytes) < 2 ** 32 * entryBytes;
}

const hashes = new WeakMap<NodeCutParams, SipHash>();

function hashOf(params: NodeCutParams): SipHash {
  let hash = hashes.get(params);
  if (hash === undefined) {
    hash = sipHash24(checkHashedParams(params).key);
    hashes.set(params, hash);
  }
  return hash;
}
