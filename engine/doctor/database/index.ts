import type { Clock } from '../../../store/index.ts';
import type { DatabaseAddress } from '../../database/index.ts';
import type { Check } from '../check.ts';
import { checkDumpCommands } from './dump-commands.ts';
import { checkDumpTool } from './dump-tool.ts';
import { checkHeadRoom } from './head-room.ts';
import { checkMysqlReading } from './mysql.ts';
import { checkReading } from './reading.ts';
import { checkServerSettings } from './settings.ts';
import { checkTransactions } from './transactions.ts';

/** What is looked at of a database of each kind; without one, what the first would need. */
export function checksOfDatabase(
  address: DatabaseAddress | null,
  { clock }: { readonly clock: Clock },
): Check[] {
  if (address === null) return [checkDumpTool(null)];
  switch (address.type) {
    case 'postgresql':
      return [
        checkDumpTool(address),
        checkReading(address, { clock }),
        checkServerSettings(address),
        checkHeadRoom(address),
        checkTransactions(address),
      ];
    case 'command':
      return [checkDumpCommands(address)];
    case 'mysql':
      return [checkMysqlReading(address, { clock })];
    default:
      return address satisfies never;
  }
}
