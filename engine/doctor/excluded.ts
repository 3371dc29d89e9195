import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { HomeSettings } from '../home/index.ts';
import { bytePathOfText } from '../home/paths.ts';
import { compileExcludes } from '../home/rules/exclude.ts';
import type { Check } from './check.ts';
import { type Finding, good, warn } from './finding.ts';

/** Without these a restored application has lost what people put into it. */
const precious = [
  'shared/data/repositories',
  'data/repositories',
  'shared/data/attachments',
  'shared/bitbucket.properties',
  'shared/config',
];

/** What the configuration leaves out: said, and warned of where it takes what a restore needs. */
export function checkExcluded(home: HomeSettings): Check {
  const name = 'excluded';
  return {
    name,
    async run() {
      const rules = [...(home.exclude ?? [])];
      const repositories = [...(home.excludeRepositories ?? [])];
      if (rules.length + repositories.length === 0) return [];
      const findings: Finding[] = [
        good(
          name,
          `left out as configured: ${[...rules, ...repositories.map(id => `repository ${id}`)].join(', ')}`,
        ),
      ];
      const isExcluded = await compileExcludes({ rules, repositories: [], isHome: true });
      for (const path of precious) {
        const isFolder = await stat(join(home.root, path)).then(
          facts => facts.isDirectory(),
          () => undefined,
        );
        if (isFolder === undefined || !isLeftOut(path, { isExcluded, isFolder })) continue;
        const found = `home.exclude leaves out ${path}: no snapshot will hold it`;
        findings.push(warn(name, { found, remedy: 'Narrow the rule, unless that is what you want.' }));
      }
      for (const id of repositories) {
        const places = ['shared/data/repositories', 'data/repositories'].map(place =>
          join(home.root, place, String(id)),
        );
        const isThere = (await Promise.all(places.map(isFolderThere))).some(Boolean);
        if (isThere) continue;
        const found = `home.excludeRepositories names ${id}, and there is no such repository`;
        findings.push(warn(name, { found, remedy: 'Take it out, or write its id: the name of its folder.' }));
      }
      return findings;
    },
  };
}

/** Itself, or a folder above it. */
function isLeftOut(
  path: string,
  { isExcluded, isFolder }: { isExcluded: Awaited<ReturnType<typeof compileExcludes>>; isFolder: boolean },
): boolean {
  const parts = path.split('/');
  return parts.some((_, i) => {
    const part = bytePathOfText(parts.slice(0, i + 1).join('/'));
    return isExcluded(part, i < parts.length - 1 || isFolder);
  });
}

async function isFolderThere(path: string): Promise<boolean> {
  return stat(path).then(
    facts => facts.isDirectory(),
    () => false,
  );
}
