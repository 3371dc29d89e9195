import { createHash } from 'node:crypto';
import type { Ignore } from 'ignore';
import { type BytePath, bytePathOfText, textOf } from '../paths.ts';

/** Bitbucket's caches, indexes, exports and scratch: made again by the application, or unfit to restore. */
export const bitbucketExcludes: readonly string[] = [
  '/caches/',
  '/data/db.*',
  '/shared/data/db.*',
  '/search/data/',
  '/shared/search/data/',
  '/export/',
  '/shared/export/',
  '/plugins/.*/',
  '/shared/plugins/.*/',
  '/tmp',
  '/.lock',
  '/shared/.lock',
];

/** Answers for one root. `relative` has no leading or trailing slash and is never empty. */
export type IsExcluded = (relative: BytePath, folder: boolean) => boolean;

export interface ExcludeRules {
  /** The application's rules, then the user's: a later rule wins, `!` takes back. */
  readonly rules: readonly string[];
  readonly repositories: readonly (string | number)[];
  /** False for a data store: rules that name a place in the home do not apply there. */
  readonly isHome: boolean;
}

/** A matcher remembers every path that it was asked about: a new one now and then keeps that small. */
const answersMax = 8192;

/** Compiles .gitignore rules for one root. An excluded folder is not entered, so a rule cannot bring back what is in it. */
export async function compileExcludes({ rules, repositories, isHome }: ExcludeRules): Promise<IsExcluded> {
  const { default: ignore } = await import('ignore');
  const applied = appliedRules({ rules, isHome });
  const stores = isHome
    ? ['shared/data/repositories', 'data/repositories']
    : ['repositories', 'data/repositories'];
  const excluded = new Set<string>(
    repositories.flatMap(id => stores.map(store => bytePathOfText(`${store}/${id}`))),
  );
  let matcher: Ignore | undefined;
  let answers = 0;
  return (relative, folder) => {
    if (excluded.has(relative)) return true;
    if (applied.length === 0) return false;
    if (!matcher || ++answers > answersMax) {
      matcher = ignore({ ignorecase: false }).add(applied);
      answers = 0;
    }
    const text = textOf(relative);
    return matcher.ignores(folder ? `${text}/` : text);
  };
}

const appliedRules = ({ rules, isHome }: Pick<ExcludeRules, 'rules' | 'isHome'>): readonly string[] =>
  isHome ? rules : rules.filter(rule => !isAnchored(rule));

/** Raised when what is left out without a rule changes: what Git leaves behind, sockets. */
const leftOutVersion = 1;

/** Differs whenever two sets of rules could leave out different things. 16 bytes. */
export function fingerprintOf({
  rules,
  repositories,
  isHome,
  late = [],
}: ExcludeRules & { readonly late?: readonly string[] }): Uint8Array {
  const said = [leftOutVersion, appliedRules({ rules, isHome }), repositories.map(String), isHome];
  if (late.length > 0) said.push([...late]);
  return new Uint8Array(createHash('sha256').update(JSON.stringify(said)).digest().subarray(0, 16));
}

/** In a .gitignore a slash that is not the last character ties the rule to the root, unless it begins with two stars. */
function isAnchored(rule: string): boolean {
  const pattern = rule.startsWith('!') ? rule.slice(1) : rule;
  const slash = pattern.indexOf('/');
  return slash >= 0 && slash < pattern.length - 1 && !pattern.startsWith('**/');
}
