import { userInfo } from 'node:os';
import { engineError } from '../../../errors.ts';
import { nearest } from '../../../nearest.ts';
import { readService } from './service.ts';

/** Where a database is, by libpq's rules: what its URL says, else its service, else the environment. */
export interface ConnInfo {
  /** In the order in which they are tried. A folder is that of a socket. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  readonly database: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly sslmode: SslMode | undefined;
  readonly sslrootcert: string | undefined;
  readonly sslcert: string | undefined;
  readonly sslkey: string | undefined;
  readonly passfile: string | undefined;
}

export const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof sslModes)[number];

/** What may be said of a connection, and the variable that says it, too. */
const variables = {
  host: 'PGHOST',
  port: 'PGPORT',
  dbname: 'PGDATABASE',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  passfile: 'PGPASSFILE',
  sslmode: 'PGSSLMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  service: 'PGSERVICE',
  target_session_attrs: 'PGTARGETSESSIONATTRS',
} as const;
type Name = keyof typeof variables;
export type Values = Partial<Record<Name, string>>;

/** Others that libpq knows and that change nothing here: this program says them itself, or they are for other drivers. */
const passedOver: ReadonlySet<string> = new Set([
  ...['application_name', 'fallback_application_name', 'client_encoding', 'connect_timeout', 'keepalives'],
  ...[
    'keepalives_idle',
    'keepalives_interval',
    'keepalives_count',
    'tcp_user_timeout',
    'sslcompression',
    'sslsni',
  ],
  ...['gssencmode', 'gsslib', 'krbsrvname', 'load_balance_hosts', 'uselibpqcompat', 'currentSchema'],
]);

/** Where the primary of several is wanted, which is what a backup and a restore need. */
const attributes: ReadonlySet<string> = new Set(['any', 'primary', 'read-write']);

/** CONFIG_INVALID: never with the URL, which may hold a password. */
export function resolveConnInfo(url: string, env: NodeJS.ProcessEnv = process.env): ConnInfo {
  const said = fromUrl(url);
  const service = said.service ?? env['PGSERVICE'];
  const values: Values = {
    ...fromEnvironment(env),
    ...(service === undefined || service === '' ? {} : readService(service, { env, parse: checked })),
    ...said,
  };
  const { target_session_attrs: attribute = 'any', sslmode } = values;
  if (!attributes.has(attribute))
    throw invalid(
      `target_session_attrs is ${attribute}`,
      'Leave it out: of several hosts the primary is taken.',
    );
  if (sslmode !== undefined && !(sslModes as readonly string[]).includes(sslmode))
    throw invalid(`sslmode is ${sslmode}`, `Give one of ${sslModes.join(', ')}.`);
  const user = values.user ?? userName();
  return {
    hosts: hostsOf(values),
    database: values.dbname ?? user,
    user,
    password: values.password,
    sslmode: sslmode as SslMode | undefined,
    sslrootcert: values.sslrootcert,
    sslcert: values.sslcert,
    sslkey: values.sslkey,
    passfile: values.passfile,
  };
}

/** Hosts and name of a database, for people, for comparing and for other drivers. CONFIG_INVALID. */
export function placeOf(url: string): { readonly hosts: string; readonly database: string } {
  const { hosts, database } = resolveConnInfo(url);
  const isHere = (host: string): boolean => host.startsWith('/') || host === 'localhost' || host === '::1';
  return {
    hosts: hosts.map(({ host, port }) => `${isHere(host) ? '127.0.0.1' : bracketed(host)}:${port}`).join(','),
    database,
  };
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return ''; // a user without a name: the server says what it thinks of that
  }
}

const urlPattern = /^postgres(?:ql)?:\/\/(?:([^/?#]*)@)?([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/;

function fromUrl(url: string): Values {
  const [whole, login = '', hosts = '', database = '', query = ''] = urlPattern.exec(url) ?? [];
  if (whole === undefined) {
    const isWords = /^\s*\w+\s*=/.test(url);
    throw invalid(
      isWords ? 'it is a list of words (host=… dbname=…)' : 'it is not a postgresql:// URL',
      isWords
        ? 'Write it as postgresql://user@host:5432/database, or name a service: postgresql:///?service=NAME.'
        : 'Write it as postgresql://user@host:5432/database.',
    );
  }
  const values: Record<string, string> = {};
  const [user = '', ...password] = login.split(':');
  if (user !== '') values['user'] = decode(user);
  if (password.length > 0) values['password'] = decode(password.join(':'));
  const places = hosts === '' ? [] : hosts.split(',').map(hostAndPort);
  if (places.some(({ host }) => host !== '')) values['host'] = places.map(({ host }) => host).join(',');
  if (places.some(({ port }) => port !== '')) values['port'] = places.map(({ port }) => port).join(',');
  if (database !== '') values['dbname'] = decode(database);
  for (const pair of query === '' ? [] : query.split('&')) {
    const [name = '', ...value] = pair.split('=');
    values[decode(name)] = decode(value.join('='));
  }
  return checked(values, 'The URL');
}

/** What a URL or a service says, with the words of other drivers in libpq's. CONFIG_INVALID for what nobody knows. */
function checked(values: Readonly<Record<string, string>>, where: string): Values {
  const found: Values = {};
  for (const [name, value] of Object.entries(values)) {
    if (name in variables) found[name as Name] = value;
    else if (name === 'hostaddr') found.host = value;
    else if (name === 'ssl' && /^(true|1|)$/.test(value)) found.sslmode ??= 'require';
    else if (name === 'ssl' && /^(false|0)$/.test(value)) found.sslmode ??= 'disable';
    else if (!passedOver.has(name) && !isNoWish(name, value)) {
      const near = nearest(name, [...Object.keys(variables), ...passedOver]);
      throw invalid(
        `${where} says ${name}, which this program does not know`,
        near === undefined ? 'Leave it out.' : `Did you mean ${near}?`,
      );
    }
  }
  // Of another driver: encrypted, and nobody asks who it is.
  if ((found.sslmode as string | undefined) === 'no-verify') found.sslmode = 'require';
  return found;
}

/** Says what is so anyway. */
function isNoWish(name: string, value: string): boolean {
  return (
    (name === 'channel_binding' && value !== 'require') ||
    (name === 'sslnegotiation' && value === 'postgres') ||
    (name === 'options' && value === '')
  );
}

function fromEnvironment(env: NodeJS.ProcessEnv): Values {
  const values: Values = {};
  for (const [name, variable] of Object.entries(variables)) {
    const value = env[variable];
    if (value !== undefined && value !== '') values[name as Name] = value;
  }
  return values;
}

/** `[::1]:5432`, `host`, `%2Frun%2Fpostgresql:5433`. */
function hostAndPort(text: string): { readonly host: string; readonly port: string } {
  const [whole, six, four = '', port = ''] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d*))?$/.exec(text) ?? [];
  if (whole === undefined)
    throw invalid('its host is none', 'Put the address of IPv6 into brackets: [::1]:5432.');
  return { host: six ?? decode(four), port };
}

function hostsOf({ host, port }: Values): ConnInfo['hosts'] {
  const hosts = (host ?? 'localhost').split(',').map(one => (one === '' ? 'localhost' : one));
  const ports = (port ?? '5432').split(',').map(one => (one === '' ? 5432 : Number(one)));
  const isWhole = ports.every(one => Number.isInteger(one) && one > 0 && one < 65_536);
  if (!isWhole || (ports.length > 1 && ports.length !== hosts.length))
    throw invalid(
      isWhole ? `it has ${hosts.length} hosts and ${ports.length} ports` : 'its port is none',
      'Give one port for all, or one for each host, from 1 to 65535.',
    );
  return hosts.map((one, i) => ({ host: one, port: ports.length > 1 ? ports[i]! : ports[0]! }));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid('a % in it begins no code', 'Write a % as %25.');
  }
}

export function invalid(found: string, remedy: string): Error {
  return engineError('CONFIG_INVALID', `Cannot read the database URL: ${found}`, { remedy });
}
