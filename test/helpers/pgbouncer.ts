import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { serverAccount } from '../../bench/servers/account.ts';
import { reachableTemp } from '../../bench/servers/scratch.ts';
import { until } from './small-rig.ts';

const program = '/usr/sbin/pgbouncer';

/** Why there is no real pooler here; undefined where there is one. */
export const noPgbouncer: string | undefined = existsSync(program)
  ? undefined
  : 'PgBouncer is not installed (apt-get install pgbouncer)';

export interface Pooler extends AsyncDisposable {
  /** Of the database, through the pooler. */
  readonly url: string;
}

/** A PgBouncer before the database of a URL. */
export async function startPgbouncer(
  url: string,
  { mode }: { readonly mode: 'session' | 'transaction' | 'statement' },
): Promise<Pooler> {
  const { hostname, port: serverPort, pathname, username, password } = new URL(url);
  const account = serverAccount();
  const port = await freePort();
  const folder = mkdtempSync(join(reachableTemp(), 'stillpoint-pooler-'));
  const database = decodeURIComponent(pathname.slice(1));
  const file = join(folder, 'pgbouncer.ini');
  writeFileSync(
    file,
    `[databases]
${database} = host=${hostname} port=${serverPort} user=${decodeURIComponent(username)} password='${decodeURIComponent(password)}'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
logfile = ${join(folder, 'log')}
`,
  );
  if (account.foreign) for (const path of [folder, file]) chownSync(path, account.uid, account.gid);
  const child = spawn(program, [file], {
    stdio: 'ignore',
    ...(account.foreign ? { uid: account.uid, gid: account.gid } : {}),
  });
  const ended = once(child, 'exit');
  await until(() => isOpen(port), 'PgBouncer listens');
  const through = new URL(url);
  through.port = String(port);
  return {
    url: through.href,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}
