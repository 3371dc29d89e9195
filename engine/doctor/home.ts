import { realpath, stat } from 'node:fs/promises';
import type { FileSystemProbe, HomeSettings } from '../home/index.ts';
import { bytePathOfText } from '../home/paths.ts';
import { expandDataStores } from '../home/roots.ts';
import { fileSystemOf } from '../home/system/filesystem.ts';
import { loadLibc } from '../home/system/libc.ts';
import { currentUser } from '../user.ts';
import type { Check } from './check.ts';
import { bad, type Finding, failed, good, warn } from './finding.ts';
import { sampleTree } from './sample.ts';

export interface HomeCheckOptions {
  readonly home: HomeSettings;
  readonly fileSystemSeam?: FileSystemProbe | undefined;
}

/** Home and data stores are there, can be read by this user, and lie where their times can be trusted. */
export function checkHome({ home, fileSystemSeam }: HomeCheckOptions): Check {
  const name = 'home';
  return {
    name,
    async run(signal) {
      const roots = [home.root];
      try {
        const stores = await expandDataStores(home.dataStores ?? []);
        roots.push(...stores.map(path => Buffer.from(path, 'latin1').toString()));
      } catch (error) {
        return [failed(name, error), ...(await checkRoot(name, home.root, { home, fileSystemSeam, signal }))];
      }
      const findings: Finding[] = [];
      for (const root of roots)
        findings.push(...(await checkRoot(name, root, { home, fileSystemSeam, signal })));
      return findings;
    },
  };
}

async function checkRoot(
  check: string,
  root: string,
  { home, fileSystemSeam, signal }: HomeCheckOptions & { readonly signal: AbortSignal },
): Promise<Finding[]> {
  const remedy = 'Check home.path and home.dataStores, that their volumes are mounted, and who owns them.';
  let real: string;
  try {
    real = await realpath(root);
    if (!(await stat(real)).isDirectory()) return [bad(check, { found: `${root} is no folder`, remedy })];
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return [bad(check, { found: `${root} cannot be read by ${currentUser()}: ${code}`, remedy })];
  }
  const { libc } = await loadLibc();
  const { dev } = await stat(real);
  const facts = fileSystemOf(bytePathOfText(real), {
    dev,
    libc,
    seam: fileSystemSeam,
    name: home.fileSystem,
  });
  return [
    ...(await readThrough(check, real, { home, signal })),
    ...judgeFileSystem(check, root, { facts, home }),
  ];
}

async function readThrough(
  check: string,
  root: string,
  { home, signal }: { readonly home: HomeSettings; readonly signal: AbortSignal },
): Promise<Finding[]> {
  const { looked, isWhole, unreadable } = await sampleTree(root, {
    home,
    isHome: root === (await realpath(home.root)),
    signal,
  });
  const sample = isWhole ? `all ${looked} names below` : `a sample of ${looked} names below`;
  const [first] = unreadable;
  if (!first) return [good(check, `${root} can be read by ${currentUser()}: ${sample}`)];
  const more = unreadable.length > 1 ? `, and ${unreadable.length - 1} more` : '';
  return [
    bad(check, {
      found: `${currentUser()} cannot read ${first.path} (${first.code})${more}, of ${sample} ${root}`,
      remedy: 'Run the backup as the user that the application runs as, or as root.',
    }),
  ];
}

function judgeFileSystem(
  check: string,
  root: string,
  { facts, home }: { readonly facts: ReturnType<typeof fileSystemOf>; readonly home: HomeSettings },
): Finding[] {
  const { type, cached, id } = facts;
  const findings: Finding[] = [];
  if (cached && home.networkHome !== 'reread') {
    const found = `${root} is on ${type}, whose attributes may be seconds old: a backup refuses it`;
    const remedy = 'Mount it with noac, run on the server itself, or set home.networkHome to reread.';
    findings.push(bad(check, { found, remedy }));
  } else if (cached) {
    findings.push(good(check, `${root} is on ${type}: refs are read again while the application is locked`));
  }
  if (id !== null) return findings;
  const found = `the file system of ${root} (${type}) has no identity: every backup reads all of it again`;
  return [
    ...findings,
    warn(check, {
      found,
      remedy: 'Give it one with home.fileSystem, and another when the disk is replaced.',
    }),
  ];
}
