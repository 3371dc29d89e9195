import { databaseOf, withoutPassword } from '../app/jdbc.ts';
import { type Properties, withProperties } from '../app/properties.ts';
import { placeOf } from '../database/index.ts';
import { printableText } from '../look/names.ts';

/**
 * Points the restored application to the database that was restored with it: rewrites jdbc.url. User and password stay:
 * whoever restores is often a superuser, and the application should not be one. Sentences about what was done. No link is
 * followed. TARGET_FAILED.
 */
export function setJdbc(home: string, url: string): string[] {
  const work = (properties: Properties) => rewrite(properties, url);
  const said = withProperties(home, { access: 'change', work });
  return said ?? ['No bitbucket.properties was restored: there was no JDBC URL to set.'];
}

function rewrite({ name, text, write }: Properties, url: string): string[] {
  const old = text.get('jdbc.url');
  if (old === undefined) return [`${name} has no jdbc.url: nothing was set.`];
  const query = /\?.*$/.exec(old)?.[0] ?? '';
  const jdbc = `${placeInJdbc(url, old)}${query}`;
  write(text.with('jdbc.url', jdbc));
  return [
    `jdbc.url in ${name} was ${printableText(withoutPassword(old))} and is now ${printableText(withoutPassword(jdbc))}.`,
  ];
}

/** Drivers of MariaDB have either name in their URLs: the one that was there stays. */
function placeInJdbc(url: string, old: string): string {
  if (/^(mysql|mariadb):/.test(url))
    return `jdbc:${/^jdbc:mysql:/.test(old) ? 'mysql' : 'mariadb'}://${databaseOf(url)}`;
  const { hosts, database } = placeOf(url);
  return `jdbc:postgresql://${hosts}/${encodeURIComponent(database)}`;
}
