import { closeSync, openSync, readSync } from 'node:fs';
import { engineError } from '../../engine/index.ts';

/** No configuration is nearly so large; a device or a dump that was named by mistake is. */
const bytesMax = 1024 * 1024;

/** The text of a configuration file, without its mark of byte order. CONFIG_INVALID. */
export function readText(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readBounded(file);
  } catch (cause) {
    throw engineError('CONFIG_INVALID', `Cannot read configuration ${file}: ${whyNot(cause)}`, {
      remedy:
        'Name an existing file with --config or STILLPOINT_CONFIG; `stillpoint config` prints an example.',
      cause,
    });
  }
  if (bytes.length > bytesMax) throw notText(file, 'it is larger than 1 MiB');
  if (bytes[0] === 0xff || bytes[0] === 0xfe || bytes.includes(0)) throw notText(file, 'it is no UTF-8 text');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const line = lineOfBadByte(bytes);
    throw notText(`${file}:${line}`, 'it is no UTF-8 text');
  }
}

function readBounded(file: string): Buffer {
  const descriptor = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(bytesMax + 1);
    let length = 0;
    while (length < bytes.length) {
      const read = readSync(descriptor, bytes, length, bytes.length - length, null);
      if (read === 0) break;
      length += read;
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}

function notText(where: string, state: string): Error {
  return engineError('CONFIG_INVALID', `Cannot use configuration ${where}: ${state}`, {
    remedy: 'Name a YAML file, saved as UTF-8; `stillpoint config` prints an example.',
  });
}

/** The first line that, decoded by itself, is not UTF-8. */
function lineOfBadByte(bytes: Buffer): number {
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const found = bytes.indexOf(10, start);
    const end = found === -1 ? bytes.length : found;
    if (bytes.subarray(start, end).toString('utf8').includes('\ufffd')) return line;
    start = end + 1;
  }
  return line;
}

function whyNot(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  const known: Record<string, string> = {
    ENOENT: 'it is not there',
    ENOTDIR: 'a part of its path is no folder',
    EISDIR: 'it is a folder',
    EACCES: 'this user may not read it',
    EPERM: 'this user may not read it',
    ELOOP: 'its links lead in a circle',
  };
  return known[code ?? ''] ?? message;
}
