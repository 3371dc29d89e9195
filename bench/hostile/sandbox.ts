import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder to restore into, amid others that must stay as they are. */
export interface Sandbox extends Disposable {
  /** Of it all. */
  readonly path: string;
  /** Where a restore may write: absent until it does. */
  readonly target: string;
  /** A folder beside the target, which hostile paths and links lead to. */
  readonly outside: string;
  /** What changed around the target since the sandbox was made; undefined: nothing. */
  changed(): string | undefined;
  /** Removes what a restore left. */
  clear(): void;
}

export function makeSandbox(): Sandbox {
  const path = mkdtempSync(join(tmpdir(), 'stillpoint-hostile-'));
  const outside = join(path, 'outside');
  mkdirSync(join(outside, 'folder'), { recursive: true });
  writeFileSync(join(outside, 'file'), 'precious', { mode: 0o600 });
  writeFileSync(join(outside, 'folder', 'x'), 'precious, too');
  symlinkSync('file', join(outside, 'link'));
  linkSync(join(outside, 'file'), join(outside, 'second'));
  const target = join(path, 'target');
  const before = fingerprint(path);
  return {
    path,
    target,
    outside,
    changed() {
      const now = fingerprint(path);
      return now === before ? undefined : now;
    },
    clear: () => removeTree(target),
    [Symbol.dispose]() {
      removeTree(target);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/** Everything around the target: kind, mode, owner, size, time, inode, links and bytes of each. */
function fingerprint(root: string): string {
  const lines: string[] = [];
  const walk = (folder: string): void => {
    for (const name of readdirSync(folder).sort()) {
      const path = join(folder, name);
      if (folder === root && name === 'target') continue;
      const { mode, uid, gid, size, mtimeMs, ctimeMs, ino, nlink } = lstatSync(path);
      const kind = mode & 0o170000;
      const said =
        kind === 0o100000 ? readFileSync(path, 'hex') : kind === 0o120000 ? readlinkSync(path) : '';
      // A folder's own times change when the target beside it comes and goes.
      lines.push([path, mode, uid, gid, size, mtimeMs, ctimeMs, ino, nlink, said].join(' '));
      if (kind === 0o040000) walk(path);
    }
  };
  walk(root);
  return lines.join('\n');
}

function removeTree(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    openFolders(path); // its folders may be closed to us, where we are not root
    rmSync(path, { recursive: true, force: true });
  }
}

function openFolders(path: string): void {
  if (!lstatSync(path).isDirectory()) return;
  chmodSync(path, 0o700);
  for (const name of readdirSync(path, { encoding: 'buffer' }))
    openFolders(join(path, name.toString('utf8')));
}
