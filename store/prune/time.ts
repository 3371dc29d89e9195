/**
 * Whether the time that a prune was given is over; with a share, whether so much of it is. It is asked between steps: what
 * is left then is the next prune's.
 */
export type IsTimeUp = (share?: number) => boolean;
