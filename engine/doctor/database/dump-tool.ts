import type { Connection } from '../../database/postgres/connect/connection.ts';
import { findDumpTool, type PostgresAddress } from '../../database/postgres/index.ts';
import type { Check } from '../check.ts';
import { type Finding, good, warn } from '../finding.ts';
import { askServer } from './session.ts';

const name = 'pg_dump';

/** The vendor's own tool for definitions, of the server's version or newer. */
export function checkDumpTool(address: PostgresAddress | null): Check {
  if (address) {
    return askServer(address, {
      name,
      ask: async (connection: Connection) => look(connection.serverVersionNumber),
    });
  }
  return { name, run: () => look(0) };
}

async function look(serverVersionNumber: number): Promise<Finding[]> {
  const tool = await findDumpTool(serverVersionNumber);
  if (tool) return [good(name, `${tool.path} ${tool.version}, for servers up to that version`)];
  const major = Math.floor(serverVersionNumber / 10_000);
  const wanted = major > 0 ? `of version ${major} or newer ` : '';
  const found = `none ${wanted}is here: definitions are read from the catalogs, and object kinds unknown here are refused`;
  return [
    warn(name, {
      found,
      remedy: `Install the PostgreSQL client package of version ${major || 'the server'} (postgresql-client-${major || 'NN'}).`,
    }),
  ];
}
