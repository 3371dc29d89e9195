import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { StillpointError } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import { PropertiesText } from './properties-text.ts';

/** Where the application's settings are, in a home of either layout. */
const places = [['shared', 'bitbucket.properties'], ['bitbucket.properties']] as const;

/** The application's settings in a restored home. */
export interface Properties {
  /** Relative to the home. */
  readonly name: string;
  readonly text: PropertiesText;
  /** Writes other text into the same file, whose owner and mode stay. TARGET_FAILED when it is no file of its own. */
  write(text: PropertiesText): void;
}

/**
 * Opens the settings of the application, works with them and closes them; undefined where a home has none. No link is
 * followed out of the home. TARGET_FAILED.
 */
export function withProperties<T>(
  home: string,
  { access, work }: { readonly access: 'read' | 'change'; readonly work: (properties: Properties) => T },
): T | undefined {
  const mode = access === 'read' ? constants.O_RDONLY : constants.O_RDWR;
  for (const names of places) {
    const name = names.join('/');
    const fd = openInside(home, { names, mode });
    if (fd === undefined) continue;
    try {
      if (!fstatSync(fd).isFile()) throw notItsOwn(name);
      const { size } = fstatSync(fd);
      if (size > propertiesBytesMax) throw tooLarge(name, size);
      const text = new PropertiesText(readFileSync(fd, 'latin1'));
      return work({ name, text, write: changed => overwrite(fd, { name, text: changed }) });
    } finally {
      closeSync(fd);
    }
  }
  return undefined;
}

/** Where the settings say that the application's database is. */
export interface JdbcSettings {
  /** The file that says so, relative to the home. */
  readonly name: string;
  /** May hold a password among its parameters. */
  readonly jdbc: string;
  readonly user: string | undefined;
}

/** Undefined where a home has no settings, or behind a link, where the application would read none of this home. */
export function readJdbc(home: string): JdbcSettings | undefined {
  try {
    return withProperties(home, {
      access: 'read',
      work: ({ name, text }) => {
        const jdbc = text.get('jdbc.url');
        return jdbc === undefined ? undefined : { name, jdbc, user: text.get('jdbc.user') };
      },
    });
  } catch (error) {
    if (error instanceof StillpointError) return undefined;
    throw error;
  }
}

function overwrite(
  fd: number,
  { name, text }: { readonly name: string; readonly text: PropertiesText },
): void {
  if (fstatSync(fd).nlink > 1) throw notItsOwn(name);
  const { bytes } = text;
  ftruncateSync(fd, 0);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
}

const propertiesBytesMax = 1024 * 1024;

const tooLarge = (name: string, bytes: number): Error =>
  engineError('TARGET_FAILED', `Cannot read ${name} of the restored home: it has ${bytes} bytes`, {
    remedy: 'Look at that file: it should be some lines of text. Without --set-jdbc it is left alone.',
  });

const notItsOwn = (name: string): Error =>
  engineError('TARGET_FAILED', `Cannot set the JDBC URL in ${name}: it is no file of its own`, {
    remedy: 'Restore without --set-jdbc and change the line by hand.',
  });

const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** Undefined where there is no such file. */
function openInside(
  home: string,
  { names, mode }: { readonly names: readonly string[]; readonly mode: number },
): number | undefined {
  const opened: number[] = [];
  try {
    let folder = openSync(home, constants.O_RDONLY | constants.O_DIRECTORY);
    opened.push(folder);
    for (const name of names.slice(0, -1)) {
      folder = openSync(`/proc/self/fd/${folder}/${name}`, folderFlags);
      opened.push(folder);
    }
    const flags = mode | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    return openSync(`/proc/self/fd/${folder}/${names.at(-1)}`, flags);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw engineError('TARGET_FAILED', `Cannot open ${names.join('/')} of the restored home: ${message}`, {
      remedy: 'Look at that file: it should be one of its own, no link. Without --set-jdbc it is left alone.',
      cause: error,
    });
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}
