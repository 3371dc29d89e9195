import { type BackedUpPlaces, doubtsAbout } from '../app/index.ts';
import type { Check } from './check.ts';
import { good, warn } from './finding.ts';

/** Home and database look like those of the application that is locked. */
export function checkPlaces(places: BackedUpPlaces): Check {
  const name = 'places';
  return {
    name,
    async run() {
      const doubts = doubtsAbout(places);
      if (doubts.length === 0) return [good(name, 'home and database look like those of one Bitbucket')];
      const remedy = 'Check home.path and database.url: a pair of the wrong things would be backed up.';
      return doubts.map(found => warn(name, { found, remedy }));
    },
  };
}
