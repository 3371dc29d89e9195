import fs from 'node:fs';
import fsPromises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { basename } from 'node:path';
import { currentSide, type Side } from './side.ts';

type Promises = typeof fsPromises;

/**
 * From here on, what either side asks of the file system waits in the side's own time, and then happens at once: a
 * file call more in the engine shows as a wait more of its side. Whoever is no side is not touched. Returns what
 * undoes it.
 */
export function interceptFileCalls(): () => void {
  const original: Promises = { ...fsPromises };
  const calls: Record<string, (...given: never[]) => unknown> = {
    mkdir: fs.mkdirSync,
    readFile: fs.readFileSync,
    writeFile: fs.writeFileSync,
    unlink: fs.unlinkSync,
    readdir: fs.readdirSync,
    link: fs.linkSync,
    rename: fs.renameSync,
    stat: fs.statSync,
  } as never;
  for (const [name, callNow] of Object.entries(calls)) {
    replace(name, (side, given) => through(side, `${name} ${kindOf(given[0])}`, () => callNow(...given)));
  }
  const openNow = fs.openSync as (...given: never[]) => number;
  replace('open', async (side, given) => {
    const kind = kindOf(given[0]);
    const fd = await through(side, `open ${kind}`, () => openNow(...given));
    return handle(side, { fd, kind });
  });
  syncBuiltinESMExports();
  return () => {
    Object.assign(fsPromises, original);
    syncBuiltinESMExports();
  };

  function replace(name: string, call: (side: Side, given: never[]) => Promise<unknown>): void {
    const before = (original as unknown as Record<string, (...given: never[]) => unknown>)[name]!;
    Object.assign(fsPromises, {
      [name]: (...given: never[]) => {
        const side = currentSide();
        return side ? call(side, given) : before(...given);
      },
    });
  }
}

async function through<T>(side: Side, name: string, callNow: () => T): Promise<T> {
  await side.file(name);
  return callNow();
}

/** An open file. Nothing is synced: there is no power cut here, and a disk would be all that is measured. */
function handle(side: Side, { fd, kind }: { readonly fd: number; readonly kind: string }): object {
  return {
    write: async (bytes: Uint8Array, offset: number, length: number, position: number) =>
      through(side, `write ${kind}`, () => ({
        bytesWritten: fs.writeSync(fd, bytes, offset, length, position),
      })),
    sync: () => through(side, `sync ${kind}`, () => undefined),
    close: () => through(side, `close ${kind}`, () => fs.closeSync(fd)),
  };
}

function kindOf(path: unknown): string {
  const name = String(path);
  if (name.startsWith('/proc/')) return 'process';
  if (name.endsWith('.noted')) return 'note';
  if (name.endsWith('.json')) return 'record';
  return basename(name).startsWith('.tmp-') ? 'temporary' : 'folder';
}
