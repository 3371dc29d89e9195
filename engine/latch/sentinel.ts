import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../store/index.ts';
import type { ToSentinel } from './messages.ts';
import { armSentinel, notStarted, type Sentinel } from './sentinel-link.ts';

/** How a latch gets its sentinel, armed. Nothing is locked before it resolves. */
export type StartSentinel = (
  arms: Extract<ToSentinel, { type: 'arm' }>,
  options: { readonly clock: Clock },
) => Promise<Sentinel>;

/**
 * Starts the sentinel process: a session of its own, so that no signal to the program's process group reaches it, and
 * nothing shared with the program but two pipes. What it must not forget goes through the pipe, never by argument or
 * environment, which others on this host can read.
 */
export const startSentinel: StartSentinel = async (arms, { clock }) => {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./sentinel-main.js', import.meta.url))], {
    detached: true,
    cwd: '/',
    env: quietEnvironment(),
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = new Promise<string>(resolve => {
    child.once('error', error => resolve(`could not run: ${error.message}`));
    // `close`, not `exit`: what it said before its end has been read then.
    child.once('close', (code, signal) => resolve(`ended (${signal ?? `exit ${code}`})`));
  });
  if (child.pid === undefined) throw notStarted(await ended); // out of processes or files: there may be no pipes
  const pipes = {
    pid: child.pid,
    input: child.stdin,
    output: child.stdout,
    ended,
    kill: () => void child.kill('SIGKILL'),
    unref: () => child.unref(),
  };
  return armSentinel(pipes, { arms, clock });
};

/** What a Node process needs to run and to trust certificates; nothing that the program was given in confidence. */
function quietEnvironment(): NodeJS.ProcessEnv {
  const trust = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'OPENSSL_CONF'];
  const names = ['PATH', 'LANG', 'TZ', 'NODE_OPTIONS', 'NODE_TLS_REJECT_UNAUTHORIZED', ...trust];
  const values = names.map(name => [name, process.env[name]] as const);
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}
