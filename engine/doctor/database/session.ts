import { StillpointError } from '../../../store/index.ts';
import type { PostgresAddress } from '../../database/index.ts';
import type { Connection } from '../../database/postgres/connect/connection.ts';
import { openConnection } from '../../database/postgres/connect/open-connection.ts';
import type { Check } from '../check.ts';
import type { Finding } from '../finding.ts';

/** A check that asks the server something on a connection of its own. Where none is to be had, reading it said why. */
export function askServer(
  address: PostgresAddress,
  {
    name,
    ask,
  }: { readonly name: string; readonly ask: (connection: Connection) => Promise<readonly Finding[]> },
): Check {
  return {
    name,
    async run(signal) {
      let connection: Connection;
      try {
        connection = await openConnection({ ...address, purpose: 'doctor', signal });
      } catch (error) {
        if (error instanceof StillpointError) return [];
        throw error;
      }
      await using open = connection;
      return await ask(open);
    },
  };
}
