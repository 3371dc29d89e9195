import type { Snapshot } from '../pair.ts';

/** Everything lies below one folder, so that nothing is unpacked into the middle of something else. */
export const topFolder = ({ id }: Snapshot): string => `stillpoint-${id.slice(0, 8)}`;

/** Where a root of the home lies; the first is the home itself. */
export const folderOfRoot = (index: number): string => (index === 0 ? 'home' : `data-store-${index}`);
