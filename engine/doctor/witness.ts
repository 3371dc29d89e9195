import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isInStore } from '../witness-place.ts';
import type { Check } from './check.ts';
import { bad, good } from './finding.ts';

/** What remembers the snapshots lies away from the store, in a folder that is there. */
export function checkWitnessPlace({
  file,
  place,
}: {
  readonly file: string;
  /** Of the store; null: not known. */
  readonly place: string | null;
}): Check {
  const name = 'witness';
  return {
    name,
    async run() {
      const remedy = 'Set `witness` to a file in a folder that is there, away from the store.';
      if (place !== null && (await isInStore(file, place)))
        return [bad(name, { found: `${file} lies in the store ${place}, and would change with it`, remedy })];
      const folder = await stat(dirname(file)).catch(() => undefined);
      if (!folder?.isDirectory())
        return [bad(name, { found: `the folder of the witness ${file} is not there`, remedy })];
      const there = await stat(file).catch(() => undefined);
      if (there !== undefined && !there.isFile())
        return [bad(name, { found: `the witness ${file} is no file`, remedy })];
      return [
        good(name, there ? `${file} lies away from the store` : `${file} is made with the next backup`),
      ];
    },
  };
}
