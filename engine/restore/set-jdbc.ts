import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { engineError } from '../errors.ts';

/** Where the application's settings are, in a home of either layout. */
const files = [['shared', 'bitbucket.properties'], ['bitbucket.properties']] as const;

/**
 * Points the restored application to the database that was restored with it: rewrites jdbc.url, and jdbc.user where the
 * URL names one; the password stays. Sentences about what was done. No link is followed. TARGET_FAILED.
 */
export function setJdbc(home: string, url: string): string[] {
  for (const names of files) {
    const fd = openInside(home, names);
    if (fd === undefined) continue;
    try {
      return rewrite(fd, { name: names.join('/'), url: new URL(url) });
    } finally {
      closeSync(fd);
    }
  }
  return ['No bitbucket.properties was restored: there was no JDBC URL to set.'];
}

function rewrite(fd: number, { name, url }: { readonly name: string; readonly url: URL }): string[] {
  const stats = fstatSync(fd);
  if (!stats.isFile() || stats.nlink > 1) {
    throw engineError('TARGET_FAILED', `Cannot set the JDBC URL in ${name}: it is no file of its own`, {
      remedy: 'Restore without --set-jdbc and change the line by hand.',
    });
  }
  const text = readFileSync(fd, 'latin1');
  const old = valueIn(text, 'jdbc.url');
  if (old === undefined) return [`${name} has no jdbc.url: nothing was set.`];
  const query = /\?.*$/.exec(old)?.[0] ?? '';
  const jdbc = `jdbc:postgresql://${url.host}${url.pathname}${query}`;
  const user = decodeURIComponent(url.username);
  const changed = withValue(text, 'jdbc.url', jdbc);
  const oldUser = valueIn(text, 'jdbc.user');
  const isUserSet = user !== '' && oldUser !== undefined && oldUser !== user;
  const bytes = Buffer.from(isUserSet ? withValue(changed, 'jdbc.user', user) : changed, 'latin1');
  ftruncateSync(fd, 0);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
  return [
    `jdbc.url in ${name} was ${withoutPassword(old)} and is now ${withoutPassword(jdbc)}.`,
    ...(isUserSet ? [`jdbc.user was ${oldUser} and is now ${user}; jdbc.password was left as it was.`] : []),
  ];
}

const withoutPassword = (jdbc: string): string => jdbc.replace(/(password=)[^&]*/gi, '$1…');

/** A line of a properties file: key, separator, value; a value goes on after a backslash at the end of a line. */
const lineOf = (key: string): RegExp =>
  new RegExp(
    `^([ \\t\\f]*${key.replaceAll('.', '\\.')}(?:[ \\t\\f]*[=:][ \\t\\f]*|[ \\t\\f]+))((?:[^\\r\\n]*\\\\\\r?\\n)*[^\\r\\n]*)`,
    'm',
  );

const valueIn = (text: string, key: string): string | undefined =>
  lineOf(key)
    .exec(text)?.[2]
    ?.replace(/\\\r?\n[ \t\f]*/g, '')
    .replace(/\\(.)/g, '$1')
    .trim();

const withValue = (text: string, key: string, value: string): string =>
  text.replace(
    lineOf(key),
    (_, start: string) => `${start}${Buffer.from(value.replaceAll('\\', '\\\\')).toString('latin1')}`,
  );

const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** Undefined where there is no such file. */
function openInside(home: string, names: readonly string[]): number | undefined {
  const opened: number[] = [];
  try {
    let folder = openSync(home, constants.O_RDONLY | constants.O_DIRECTORY);
    opened.push(folder);
    for (const name of names.slice(0, -1)) {
      folder = openSync(`/proc/self/fd/${folder}/${name}`, folderFlags);
      opened.push(folder);
    }
    return openSync(
      `/proc/self/fd/${folder}/${names.at(-1)}`,
      constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw engineError('TARGET_FAILED', `Cannot set the JDBC URL in ${names.join('/')}: ${message}`, {
      remedy: 'Restore without --set-jdbc and change the line by hand.',
      cause: error,
    });
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}
