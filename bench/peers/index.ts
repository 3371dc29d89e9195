import { borg } from './borg.ts';
import type { Peer } from './peer.ts';
import { restic } from './restic.ts';
import { scripts } from './scripts.ts';
import { stillpoint } from './stillpoint.ts';

export type { Peer, PeerStore } from './peer.ts';

/** Ours first. */
export function filePeers(): readonly Peer[] {
  return [stillpoint(), restic(), borg(), scripts()];
}
