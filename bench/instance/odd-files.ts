import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/** What could be made; an xattr needs a file system that takes it, a FIFO the program `mkfifo`. */
export interface OddFiles {
  readonly folder: string;
  readonly made: readonly string[];
  readonly refused: readonly string[];
}

/** Puts one of every odd kind of file below `shared/data/attachments/odd`, for tests of exactness. */
export async function writeOddFiles(home: string): Promise<OddFiles> {
  const folder = join(home, 'shared', 'data', 'attachments', 'odd');
  mkdirSync(folder, { recursive: true });
  const at = (name: string): string => join(folder, name);
  const bytesName = (bytes: string): Buffer =>
    Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(bytes, 'latin1')]);

  const kinds: Record<string, () => void | Promise<void>> = {
    'symbolic links': () => {
      symlinkSync('plain', at('link'));
      symlinkSync('/nonexistent/target', at('dangling'));
      symlinkSync(Buffer.from('not-\xff-utf8', 'latin1'), at('link-to-bytes'));
    },
    'hard links': () => {
      linkSync(at('plain'), at('plain-again'));
      mkdirSync(at('deeper'), { recursive: true });
      linkSync(at('plain'), at('deeper/plain-too'));
    },
    'a sparse file': () => {
      const file = openSync(at('sparse'), 'w');
      writeSync(file, 'begin', 0);
      writeSync(file, 'middle', 3 * 1024 * 1024);
      ftruncateSync(file, 8 * 1024 * 1024);
      closeSync(file);
    },
    'empty things': () => {
      writeFileSync(at('empty'), '');
      mkdirSync(at('empty-folder'), { recursive: true });
    },
    'names that are not UTF-8': () => {
      writeFileSync(bytesName('latin1-\xe4\xf6\xfc'), 'bytes');
      writeFileSync(at('new\nline \\ "quoted"'), 'odd');
      writeFileSync(at(' leading and trailing '), 'odd');
      writeFileSync(at(`${'n'.repeat(251)}.txt`), 'long');
    },
    'odd modes': () => {
      for (const mode of [0o000, 0o400, 0o755, 0o2750, 0o4711, 0o1777]) {
        writeFileSync(at(`mode-${mode.toString(8)}`), 'mode');
        chmodSync(at(`mode-${mode.toString(8)}`), mode);
      }
      mkdirSync(at('sticky-folder'), { recursive: true });
      chmodSync(at('sticky-folder'), 0o3775);
    },
    'odd times': () => {
      writeFileSync(at('old'), 'old');
      utimesSync(at('old'), 1, 1);
      writeFileSync(at('future'), 'future');
      utimesSync(at('future'), 4_102_444_800, 4_102_444_800);
      writeFileSync(at('before-1970'), 'older');
      const then = new Date(-86_400_000); // as a number Node takes it for now
      utimesSync(at('before-1970'), then, then);
    },
    'a FIFO': () => void execFileSync('mkfifo', [at('fifo')], { stdio: 'ignore' }),
    'extended attributes': () => setAttribute(at('plain'), 'user.stand-in', 'value\0with zero'),
  };

  writeFileSync(at('plain'), 'plain content\n');
  const made: string[] = [];
  const refused: string[] = [];
  for (const [kind, make] of Object.entries(kinds)) {
    try {
      await make();
      made.push(kind);
    } catch (error) {
      refused.push(`${kind}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { folder, made, refused };
}

/** Node has no call for it; the C library does. */
async function setAttribute(path: string, name: string, value: string): Promise<void> {
  const koffi = (await import('koffi')).default;
  const setxattr = koffi.load(null).func('int setxattr(const char*, const char*, const char*, size_t, int)');
  const bytes = Buffer.from(value);
  if (setxattr(path, name, bytes, bytes.length, 0) !== 0) throw new Error('the file system refuses them');
}
