import { after, before, type TestContext } from 'node:test';
import { type MariadbServer, mariadbMissing, startMariadb } from '../../../../bench/servers/index.ts';

/** One server for a test file; `why` says why there is none. */
export function withMariadb(settings: Readonly<Record<string, string | number>> = {}): {
  readonly server: () => MariadbServer;
  readonly skipped: (t: TestContext) => boolean;
} {
  let server: MariadbServer | undefined;
  let why: string | undefined;
  before(async () => {
    why = await mariadbMissing();
    if (why === undefined) server = await startMariadb({ settings });
  });
  after(() => server?.stop());
  return {
    server: () => server!,
    skipped: t => {
      if (why !== undefined) t.skip(why);
      return why !== undefined;
    },
  };
}
