import { realpathSync, statSync } from 'node:fs';
import { engineError } from '../errors.ts';
import type { RootPlan } from './capture/index.ts';
import { type BytePath, bytePath, bytePathOfText, bytesOf, shown } from './paths.ts';
import { expandDataStores } from './roots.ts';
import { compileExcludes, fingerprintOf } from './rules/exclude.ts';
import { codeOf } from './system/read.ts';
import type { HomeOptions } from './types.ts';

/** The folders that a run reads, each once, with the rules of what is left out of it. HOME_UNREADABLE. */
export async function planRoots(options: HomeOptions): Promise<RootPlan[]> {
  const roots = [bytePathOfText(options.root), ...(await expandDataStores(options.dataStores ?? []))];
  const plans: RootPlan[] = [];
  for (const [place, configured] of roots.entries()) {
    const name = resolveRoot(configured);
    if (plans.some(plan => plan.name === name)) continue;
    const root = place === 0 && options.view ? resolveRoot(bytePathOfText(options.view.path)) : name;
    const rules = {
      rules: [...(options.appExcludes ?? []), ...(options.exclude ?? [])],
      repositories: options.excludeRepositories ?? [],
      isHome: place === 0,
    };
    const late = place === 0 ? (options.readInWindow ?? []) : [];
    plans.push({
      ...{ root, name, isExcluded: await compileExcludes(rules), rules: fingerprintOf({ ...rules, late }) },
      ...(late.length > 0 && {
        isLate: await compileExcludes({ rules: late, repositories: [], isHome: true }),
      }),
    });
  }
  return plans;
}

/** The folder behind the configured path, which may be a link. */
function resolveRoot(configured: BytePath): BytePath {
  try {
    const real = bytePath(realpathSync(bytesOf(configured), { encoding: 'buffer' }));
    if (statSync(bytesOf(real)).isDirectory()) return real;
  } catch (error) {
    throw engineError(
      'HOME_UNREADABLE',
      `Cannot read home ${shown(configured)}: ${codeOf(error) ?? 'unknown'}`,
      {
        remedy: 'Check home.path and home.dataStores, and that their volumes are mounted.',
        cause: error,
      },
    );
  }
  throw engineError('HOME_UNREADABLE', `Cannot read home ${shown(configured)}: it is not a folder`, {
    remedy: 'Set home.path to the application’s home directory.',
  });
}
