import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Who a server runs as. PostgreSQL refuses to run as root. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  /** True when it is not the account of this process: files must be handed over and be readable by others. */
  readonly foreign: boolean;
}

const nobodyId = 65_534;

/** This process's own account, or as root `nobody` (else the first that is not root: initdb wants a name for its uid). */
export function serverAccount(): Account {
  const uid = process.getuid?.();
  const gid = process.getgid?.();
  if (uid === undefined || gid === undefined)
    throw new Error(`Cannot start a PostgreSQL server: ${process.platform} has no user ids`);
  if (uid !== 0) return { uid, gid, foreign: false };
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map(line => line.split(':'))
    .filter(fields => fields.length >= 4)
    .map(fields => ({ uid: Number(fields[2]), gid: Number(fields[3]), foreign: true }));
  const found = accounts.find(one => one.uid === nobodyId) ?? accounts.find(one => one.uid > 0);
  if (!found) throw new Error('Cannot start a PostgreSQL server: this machine has no account but root');
  return found;
}

/** True when every folder above `path`, and `path` itself, may be entered by any account. */
export function reachableByAll(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    const status = statSync(at, { throwIfNoEntry: false });
    if (!status || (status.mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}
