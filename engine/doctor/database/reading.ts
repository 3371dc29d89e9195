import { type Clock, StillpointError } from '../../../store/index.ts';
import { connectPostgres, type PostgresAddress } from '../../database/postgres/index.ts';
import type { Check } from '../check.ts';
import { type Finding, failed, good, warn } from '../finding.ts';

/**
 * All that a backup does before the lock, and nothing else: it connects (no pooler, a version that is known, no standby),
 * looks whether every table can be read in full, and reads the definitions.
 */
export function checkReading(address: PostgresAddress, { clock }: { readonly clock: Clock }): Check {
  const name = 'database';
  return {
    name,
    async run(signal) {
      try {
        await using database = await connectPostgres({ ...address, clock, signal });
        const facts = await database.prepare({ signal });
        const { encoding, ddlSource } = facts;
        const findings: Finding[] = [
          good(
            name,
            `PostgreSQL ${facts.serverVersion}: ${facts.tables} tables and ${facts.sequences} sequences of ${facts.database} (${encoding}) can be read; definitions by ${ddlSource}`,
          ),
        ];
        if (encoding === 'SQL_ASCII') {
          const found = `${facts.database} has no encoding (SQL_ASCII): nothing checks what is in its text`;
          findings.push(
            warn(name, { found, remedy: 'Make it anew with ENCODING UTF8, which the application asks for.' }),
          );
        }
        return findings;
      } catch (error) {
        if (!(error instanceof StillpointError)) throw error;
        return [failed(name, error)];
      }
    },
  };
}
