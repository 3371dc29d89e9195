import { type Clock, StillpointError } from '../../../store/index.ts';
import { connectMysql, type MysqlAddress } from '../../database/mysql/index.ts';
import type { Check } from '../check.ts';
import { failed, good } from '../finding.ts';

/** All that a backup does before the lock: it connects, looks at version and rights, and whether every table can be read. */
export function checkMysqlReading(address: MysqlAddress, { clock }: { readonly clock: Clock }): Check {
  const name = 'database';
  return {
    name,
    async run(signal) {
      try {
        await using database = await connectMysql({ ...address, clock, signal });
        const facts = await database.prepare({ signal });
        return [
          good(
            name,
            `MariaDB ${facts.serverVersion}: ${facts.tables} tables of ${facts.database} can be read`,
          ),
        ];
      } catch (error) {
        if (!(error instanceof StillpointError)) throw error;
        return [failed(name, error)];
      }
    },
  };
}
