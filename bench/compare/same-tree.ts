import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Fails at the first name, kind, mode, time or byte in which a restored tree differs, times as exactly as whoever restored keeps them; returns how many files were compared. */
export function assertSameTree(
  source: string,
  restored: string,
  { timeStepNs }: { readonly timeStepNs: bigint },
): number {
  let files = 0;
  const compare = (path: string): void => {
    const [a, b] = [join(source, path), join(restored, path)];
    const [was, is] = [lstatSync(a, { bigint: true }), lstatSync(b, { bigint: true })];
    // the folder restored into was there before: its mode is not everybody's to change
    if (path !== '.' && was.mode !== is.mode)
      throw differs(path, `mode ${is.mode.toString(8)}, was ${was.mode.toString(8)}`);
    if (was.isDirectory()) {
      const [names, found] = [readdirSync(a).sort(), readdirSync(b).sort()];
      if (names.join('\n') !== found.join('\n'))
        throw differs(path, `${found.length} names, were ${names.length}`);
      for (const name of names) compare(join(path, name));
      return;
    }
    files += 1;
    if (was.isSymbolicLink()) {
      if (readlinkSync(a) !== readlinkSync(b)) throw differs(path, 'another target');
      return;
    }
    if (was.mtimeNs / timeStepNs !== is.mtimeNs / timeStepNs)
      throw differs(path, `time ${is.mtimeNs}, was ${was.mtimeNs}`);
    if (!readFileSync(a).equals(readFileSync(b))) throw differs(path, 'other bytes');
  };
  compare('.');
  return files;
}

function differs(path: string, how: string): Error {
  return new Error(`Restored ${path} is not what was backed up: ${how}`);
}
