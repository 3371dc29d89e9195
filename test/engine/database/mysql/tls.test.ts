import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { serverAccount } from '../../../../bench/servers/account.ts';
import { type MariadbServer, mariadbMissing, startMariadb } from '../../../../bench/servers/index.ts';
import { reachableTemp } from '../../../../bench/servers/scratch.ts';
import { readAddress } from '../../../../engine/database/mysql/address.ts';
import { openConnection } from '../../../../engine/database/mysql/connection.ts';
import { waysTo } from '../../../../engine/database/mysql/tls.ts';
import { StillpointError } from '../../../../store/index.ts';
import { makeCertificate, noOpenssl } from '../../../helpers/certificates.ts';

describe('how MariaDB is reached', { skip: noOpenssl }, () => {
  const folder = mkdtempSync(join(reachableTemp(), 'stillpoint-tls-'));
  const [certificate, other] = ['server.crt', 'other.crt'].map(name => join(folder, name));
  let secure: MariadbServer | undefined;
  let plain: MariadbServer | undefined;
  let why: string | undefined;

  before(async () => {
    why = await mariadbMissing();
    if (why !== undefined) return;
    makeCertificate(folder, 'server', 'localhost');
    makeCertificate(folder, 'other', 'localhost');
    makeCertificate(folder, 'named', 'elsewhere');
    const account = serverAccount();
    chmodSync(folder, 0o755);
    if (account.foreign) chownSync(join(folder, 'server.key'), account.uid, account.gid);
    secure = await startMariadb({
      settings: { 'ssl-cert': certificate!, 'ssl-key': join(folder, 'server.key') },
    });
    plain = await startMariadb();
    await secure.sql(
      "CREATE USER picky@localhost IDENTIFIED BY 'x' REQUIRE SSL; GRANT ALL ON *.* TO picky@localhost",
    );
  });
  after(async () => {
    await secure?.stop();
    await plain?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** 'plain', 'tls', or the code of the refusal. */
  async function how(server: MariadbServer, query: string, name = 'root'): Promise<string> {
    const url = `${server.url('mysql', { name, password: name === 'root' ? '' : 'x' })}${query}`;
    try {
      const connection = await openConnection({ url, purpose: 'read' });
      const [row] = await connection.texts('look', "SHOW STATUS LIKE 'Ssl_cipher'");
      await connection.close();
      return row?.['Value'] ? 'tls' : 'plain';
    } catch (error) {
      if (!(error instanceof StillpointError)) throw error;
      return error.code;
    }
  }

  test('plain, encrypted and checked, as the URL says and the server can', async t => {
    if (why !== undefined) return t.skip(why);
    for (const [server, query, expected] of [
      [secure!, '', 'plain'],
      [secure!, '&ssl-mode=preferred', 'tls'],
      [secure!, '&ssl-mode=REQUIRED', 'tls'],
      [secure!, '&ssl-mode=verify-ca', 'DATABASE_UNREACHABLE'],
      [secure!, `&ssl-ca=${certificate}`, 'tls'],
      [secure!, `&ssl-ca=${other}`, 'DATABASE_UNREACHABLE'],
      [secure!, `&ssl-mode=verify-identity&ssl-ca=${certificate}`, 'tls'],
      [secure!, '&ssl-mode=required&ssl-ca=/nowhere', 'CONFIG_INVALID'],
      [plain!, '&ssl-mode=preferred', 'plain'],
      [plain!, '&ssl-mode=required', 'DATABASE_UNREACHABLE'],
    ] as const)
      assert.equal(await how(server, query), expected, query);
    assert.equal(await how(secure!, '', 'picky'), 'DATABASE_RIGHTS');
    assert.equal(await how(secure!, '&ssl-mode=required', 'picky'), 'tls');
  });
});

test('without a word of it, what leaves this machine is encrypted where the server can', () => {
  const ways = (url: string) => {
    const address = readAddress({ url });
    return waysTo(address.tls, address).map(way => (way === undefined ? 'plain' : 'tls'));
  };
  assert.deepEqual(ways('mysql://u@elsewhere/d'), ['tls', 'plain']);
  for (const url of [
    'mysql://u@localhost/d',
    'mysql://u@127.0.0.1/d',
    'mysql://u@elsewhere/d?socket=/run/s',
    'mysql://u@elsewhere/d?ssl-mode=disabled',
  ])
    assert.deepEqual(ways(url), ['plain'], url);
  assert.throws(() => readAddress({ url: 'mysql://u@h/d?ssl-mode=some' }), { code: 'CONFIG_INVALID' });
});
