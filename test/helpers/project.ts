import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout, wherever the compiled file runs from. */
export const projectRoot = findRoot(dirname(fileURLToPath(import.meta.url)));

/** The compiled program. */
export const programFile = join(projectRoot, 'dist/program/main.js');

function findRoot(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder;
  return findRoot(dirname(folder));
}
