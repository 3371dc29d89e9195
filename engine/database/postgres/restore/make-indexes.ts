import type { Connection } from '../connect/connection.ts';
import { allOrCut } from '../connect/workers.ts';
import { leadingWords } from '../sql/statements.ts';
import { runAlone } from './script.ts';

/** A key or an index of one table, with the settings that it is made under. */
interface Making {
  readonly statement: string;
  readonly table: string;
  /** It locks the whole table. */
  readonly isKey: boolean;
  readonly settings: readonly string[];
}

export interface Makings {
  /** May be made before all others, several at a time. */
  readonly early: readonly Making[];
  /** All others, in their order. */
  readonly others: readonly string[];
}

export interface LargeTable {
  readonly schema: string;
  readonly name: string;
  readonly heapBlocks: number;
}

/** Below, a turn of its own takes longer than it gains. */
const blocksMin = 256;
/** What an index may need and what is in no order to it otherwise: where such is made among them, all is made in order. */
const needed = new Set([
  ...['function', 'procedure', 'aggregate', 'or', 'operator', 'cast', 'type', 'domain', 'collation'],
  ...['view', 'table', 'schema', 'extension', 'access'],
]);

const name = String.raw`(?:"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*)`;
const comments = String.raw`^(?:\s|--[^\n]*(?:\n|$))*`;
const index = new RegExp(
  `${comments}CREATE (?:UNIQUE )?INDEX ${name} ON (?<schema>${name})\\.(?<name>${name}) USING `,
  'u',
);
const key = new RegExp(
  `${comments}ALTER TABLE ONLY (?<schema>${name})\\.(?<name>${name})\\s+ADD CONSTRAINT ${name} (?:PRIMARY KEY|UNIQUE)\\s*(?:NULLS NOT DISTINCT\\s*)?\\(`,
  'u',
);
const setting = new RegExp(`${comments}SET (?=\\w+(?:\\s*=|\\s+TO)\\s)`, 'u');

/**
 * Takes the keys and indexes of large tables out of what is done after rows are loaded. They need nothing of it but the
 * settings before them, and what follows needs them; whatever is not certainly so stays in its place.
 */
export function takeMakings(statements: readonly string[], tables: readonly LargeTable[]): Makings {
  const blocks = new Map(
    tables
      .filter(({ heapBlocks }) => heapBlocks >= blocksMin)
      .map(one => [nameOf(one.schema, one.name), one.heapBlocks]),
  );
  const early: Making[] = [];
  const others: string[] = [];
  let settings: string[] = [];
  for (const statement of statements) {
    const [first, second] = leadingWords(statement, 2);
    const isOther = first === 'create' && needed.has(second ?? '');
    if (isOther || first === 'do' || first === 'reset') return { early: [], others: statements };
    if (first === 'set') {
      if (!setting.test(statement)) return { early: [], others: statements };
      settings = [...settings, statement.replace(setting, 'SET LOCAL ')];
    }
    const isKey = key.test(statement);
    const found = (isKey ? key : index).exec(statement)?.groups;
    const table = found && nameOf(bare(found['schema']!), bare(found['name']!));
    if (table !== undefined && blocks.has(table)) early.push({ statement, table, isKey, settings });
    else others.push(statement);
  }
  early.sort((a, b) => blocks.get(b.table)! - blocks.get(a.table)! || Number(b.isKey) - Number(a.isKey));
  return { early, others };
}

const nameOf = (schema: string, table: string): string => JSON.stringify([schema, table]);
const bare = (written: string): string =>
  written.startsWith('"') ? written.slice(1, -1).replaceAll('""', '"') : written;

/**
 * Makes them in transactions of their own, the largest tables first. A key never runs beside another making of its table,
 * which would wait for its lock.
 */
export async function makeEarly(
  connections: readonly Connection[],
  action: string,
  early: readonly Making[],
): Promise<void> {
  const waiting = [...early];
  const running = new Set<Making>();
  const sleepers: (() => void)[] = [];
  let isFailed = false;
  const next = (): Making | undefined => {
    const at = waiting.findIndex(
      ({ table, isKey }) => ![...running].some(one => one.table === table && (isKey || one.isKey)),
    );
    return at < 0 ? undefined : waiting.splice(at, 1)[0];
  };
  const changed = (): void => {
    for (const wake of sleepers.splice(0)) wake();
  };
  await allOrCut(
    connections,
    async connection => {
      while (waiting.length > 0 && !isFailed) {
        const making = next();
        if (!making) {
          await new Promise<void>(resolve => sleepers.push(resolve));
          continue;
        }
        running.add(making);
        await runAlone(connection, action, making);
        running.delete(making);
        changed();
      }
    },
    () => {
      isFailed = true;
      changed();
    },
  );
}
