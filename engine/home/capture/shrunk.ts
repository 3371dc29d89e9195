import { engineError } from '../../errors.ts';
import { shown } from '../paths.ts';
import type { Tree } from './tree.ts';

/** What a tree of so few entries loses says nothing. */
const entriesMin = 100;
/** An empty mount point, or a new file system with its `lost+found`. */
const emptyEntries = 1;

/**
 * A volume that is not mounted leaves an empty folder, or one with the little that an application wrote there since: a
 * snapshot of it would be the newest, and retention would drop the good ones. Refuses what looks like that, against the
 * snapshot before (HOME_UNREADABLE); returns a note where much is gone from a folder that is still the same.
 */
export function checkShrunk(tree: Tree): string | undefined {
  const { base, scanned, fileSystems } = tree;
  if (!base?.rules || Buffer.compare(base.rules, tree.rules) !== 0) return undefined;
  // without the folder itself
  const [before, now] = [base.table.count - 1, scanned.count - 1];
  const what = `it holds ${now} files and folders, ${before} in the snapshot before`;
  const isEmptied = now <= emptyEntries;
  if (before < entriesMin || now > before / 2) return undefined;
  const isAnother =
    !fileSystems.get(scanned.fileSystem(0))?.isBases || scanned.state(0).ino !== base.table.state(0).ino;
  if (isEmptied || (isAnother && now < before / 10))
    throw engineError('HOME_UNREADABLE', `Cannot back up home ${shown(tree.root)}: ${what}`, {
      remedy:
        'Check that its volume is mounted. If it is meant to be so, give the home another name with `instance`: its snapshots then begin anew.',
      context: { entries: now, entriesBefore: before },
    });
  return `Much is gone from ${shown(tree.root)}: ${what}`;
}
