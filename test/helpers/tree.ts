import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Every name below a folder, with its mode and, for a file, its bytes: for showing that nothing was changed. */
export function filesBelow(folder: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(folder, name);
    const { mode } = lstatSync(path);
    const isFile = lstatSync(path).isFile();
    found.set(name, `${mode.toString(8)} ${isFile ? readFileSync(path, 'latin1') : ''}`);
  }
  return found;
}
