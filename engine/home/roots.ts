import { engineError } from '../errors.ts';
import { type BytePath, bytePathOfText } from './paths.ts';

/** Paths as they are, globs expanded to the folders that match, each once and in order. HOME_UNREADABLE when none does. */
export async function expandDataStores(patterns: readonly string[]): Promise<BytePath[]> {
  if (patterns.length === 0) return [];
  const { default: glob } = await import('fast-glob');
  const found: string[] = [];
  for (const pattern of patterns) {
    if (!glob.isDynamicPattern(pattern)) {
      found.push(pattern);
      continue;
    }
    const matches = await glob(pattern, { onlyDirectories: true, absolute: true, dot: true, unique: true });
    if (matches.length === 0) {
      throw engineError('HOME_UNREADABLE', `Cannot find data stores: nothing matches ${pattern}`, {
        remedy: 'Check home.dataStores, and that their volumes are mounted.',
      });
    }
    found.push(...matches.sort());
  }
  return [...new Set(found)].map(bytePathOfText);
}
