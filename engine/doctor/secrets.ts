import { chmod, readFile, stat } from 'node:fs/promises';
import { currentUser, ownerOf } from '../user.ts';
import type { Check } from './check.ts';
import { bad, type Finding, good, mended, warn } from './finding.ts';

/** A file that nobody else should read. */
export interface SecretFile {
  /** `the passphrase`. */
  readonly what: string;
  readonly path: string;
}

/** Files with secrets can be read by this user, and by no other. */
export function checkSecrets(files: readonly SecretFile[], options: { readonly isMending: boolean }): Check {
  const name = 'secrets';
  return {
    name,
    async run() {
      const findings: Finding[] = [];
      for (const file of files) findings.push(await look(name, file, options));
      return findings;
    },
  };
}

async function look(
  check: string,
  { what, path }: SecretFile,
  { isMending }: { readonly isMending: boolean },
): Promise<Finding> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return bad(check, {
      found: `${what} cannot be read from ${path} by ${currentUser()}: ${code}`,
      remedy: `Write it there as one line, owned by the user that runs the backup: install -m 600 -o USER /dev/stdin ${path}`,
    });
  }
  if (text.split('\n', 1)[0]?.trim() === '') {
    return bad(check, {
      found: `the first line of ${path} is empty`,
      remedy: `Write ${what} as the first line.`,
    });
  }
  const mode = (await stat(path)).mode & 0o777;
  if ((mode & 0o077) === 0) return good(check, `${what} in ${path} is this user’s alone`);
  const open = `${path} (${what}) is open to others: mode ${octal(mode)}`;
  if (isMending) {
    try {
      await chmod(path, 0o600);
      return mended(check, `${path} (${what}) had mode ${octal(mode)}, and has 0600 now`);
    } catch {
      const remedy = `As ${(await ownerOf(path)) ?? 'its owner'} or root: chmod 600 ${path}`;
      return warn(check, { found: open, remedy });
    }
  }
  return warn(check, { found: open, remedy: `chmod 600 ${path}, or run \`stillpoint doctor --mend\`.` });
}

const octal = (mode: number): string => mode.toString(8).padStart(4, '0');
