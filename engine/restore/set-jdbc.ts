import { withoutPassword } from './jdbc.ts';
import { type Properties, withProperties } from './properties.ts';

/**
 * Points the restored application to the database that was restored with it: rewrites jdbc.url, and jdbc.user where the
 * URL names one; the password stays. Sentences about what was done. No link is followed. TARGET_FAILED.
 */
export function setJdbc(home: string, url: string): string[] {
  const work = (properties: Properties) => rewrite(properties, new URL(url));
  const said = withProperties(home, { access: 'change', work });
  return said ?? ['No bitbucket.properties was restored: there was no JDBC URL to set.'];
}

function rewrite({ name, text, write }: Properties, url: URL): string[] {
  const old = text.get('jdbc.url');
  if (old === undefined) return [`${name} has no jdbc.url: nothing was set.`];
  const query = /\?.*$/.exec(old)?.[0] ?? '';
  const jdbc = `jdbc:postgresql://${url.host}${url.pathname}${query}`;
  const user = decodeURIComponent(url.username);
  const changed = text.with('jdbc.url', jdbc);
  const oldUser = text.get('jdbc.user');
  const isUserSet = user !== '' && oldUser !== undefined && oldUser !== user;
  write(isUserSet ? changed.with('jdbc.user', user) : changed);
  const passwordStays = 'jdbc.password was left as it was: make sure that it is that user’s.';
  return [
    `jdbc.url in ${name} was ${withoutPassword(old)} and is now ${withoutPassword(jdbc)}.`,
    ...(isUserSet ? [`jdbc.user was ${oldUser} and is now ${user}; ${passwordStays}`] : []),
  ];
}
