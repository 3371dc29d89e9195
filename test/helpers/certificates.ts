import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';

/** Why no certificates can be made; false: they can. */
export const noOpenssl = isInstalled('openssl') ? false : 'openssl is not installed';

function isInstalled(program: string): boolean {
  try {
    execFileSync(program, ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Makes `NAME.crt`, which is its own authority, and `NAME.key` for a host. */
export function makeCertificate(folder: string, name: string, host: string): void {
  execFileSync(
    'openssl',
    [
      ...[
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
      ],
      ...['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.crt`)],
      ...['-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`],
    ],
    { stdio: 'ignore' },
  );
  chmodSync(join(folder, `${name}.key`), 0o600);
}
