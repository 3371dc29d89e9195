import { placeOf } from '../database/postgres/connect/conninfo.ts';

/** For people: a JDBC URL may carry a password among its parameters. */
export const withoutPassword = (jdbc: string): string => jdbc.replace(/(password=)[^&]*/gi, '$1…');

/** Ports of servers whose URL names none. */
const defaultPorts: Readonly<Record<string, string>> = { 'mysql:': '3306', 'mariadb:': '3306' };

/** Whether jdbc:postgresql://host:port/name and postgresql://user@host:port/name mean the same database. */
export function isSameDatabase(jdbc: string, url: string): boolean {
  const name = placeIn(jdbc.replace(/^jdbc:/, ''));
  return name !== undefined && name === databaseOf(url);
}

/** `host:port/name`, which is the same however its URL is written; undefined for what is no URL. */
export function databaseOf(url: string): string | undefined {
  if (!/^postgres(ql)?:/.test(url)) return placeIn(url);
  try {
    // A socket, a service or the environment may say where it is, too.
    const { hosts, database } = placeOf(url);
    return `${hosts}/${database}`;
  } catch {
    return undefined;
  }
}

/** The same, or it cannot be told: by a socket alone nobody knows the port. */
export function mayBeSameDatabase(jdbc: string, url: string): boolean {
  if (isSameDatabase(jdbc, url)) return true;
  const name = (text: string | undefined) => text?.slice(text.lastIndexOf('/'));
  return hasNoPort(url) && name(placeIn(jdbc.replace(/^jdbc:/, ''))) === name(databaseOf(url));
}

/** Whether a URL of MariaDB names a socket, and no port at which others, a JDBC driver among them, find the same server. */
export function hasNoPort(text: string): boolean {
  if (!/^(mysql|mariadb):/.test(text) || !URL.canParse(text)) return false;
  const url = new URL(text);
  return url.port === '' && url.searchParams.has('socket');
}

/** What a URL says by itself, whatever its driver makes of its parameters. */
function placeIn(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (hasNoPort(text)) return `${url.searchParams.get('socket')}${decoded(url.pathname)}`;
  const host = ['', 'localhost', '[::1]'].includes(url.hostname) ? '127.0.0.1' : url.hostname;
  return `${host}:${url.port || (defaultPorts[url.protocol] ?? '5432')}${decoded(url.pathname)}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
