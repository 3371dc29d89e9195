import { connect, type Socket } from 'node:net';
import { engineError } from '../errors.ts';

const timeoutMs = 5_000;
const portByProtocol: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };
/** The host says that nobody listens there; or there is no such host on its network now. */
const closedCodes: ReadonlySet<string> = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'EHOSTDOWN']);

export interface PortAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Whether somebody accepts connections there. APP_UNREACHABLE where that cannot be told: a name that is not known and
 * packets that are dropped prove nothing.
 */
export async function checkPort(
  { host, port }: PortAddress,
  { signal }: { readonly signal: AbortSignal },
): Promise<boolean> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host, port, timeout: timeoutMs });
    const settle = (end: () => void) => {
      signal.removeEventListener('abort', interrupt);
      socket.destroy();
      end();
    };
    const interrupt = () => settle(() => reject(signal.reason));
    signal.addEventListener('abort', interrupt, { once: true });
    socket.once('connect', () => settle(() => resolve(true)));
    socket.once('timeout', () => settle(() => reject(untold(host, port, 'no answer in time'))));
    socket.once('error', error => {
      const isClosed = codesOf(error).every(code => closedCodes.has(code));
      settle(() => (isClosed ? resolve(false) : reject(untold(host, port, error.message))));
    });
  });
}

/** Where a URL's server listens. CONFIG_INVALID for what is neither http nor https. */
export function portOf(url: string): PortAddress {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const port = parsed && (Number(parsed.port) || portByProtocol[parsed.protocol]);
  if (parsed && port) return { host: parsed.hostname.replace(/^\[|\]$/g, ''), port };
  throw engineError('CONFIG_INVALID', `Cannot use the application's URL: it is not http or https`, {
    remedy: 'Set app.url to the address that the application listens on, such as http://127.0.0.1:7990.',
  });
}

/** Of a name with several addresses one each. */
function codesOf(error: NodeJS.ErrnoException): string[] {
  const errors = error instanceof AggregateError ? (error.errors as NodeJS.ErrnoException[]) : [error];
  return errors.map(one => one.code ?? '');
}

function untold(host: string, port: number, found: string): Error {
  return engineError('APP_UNREACHABLE', `Cannot tell whether port ${port} of ${host} is closed: ${found}`, {
    remedy: 'Set app.url to the address that the application itself listens on, or leave it out.',
  });
}
