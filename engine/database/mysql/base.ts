import {
  type ChunkSource,
  type Content,
  extentsOf,
  isStoreError,
  readListing,
} from '../../../store/index.ts';
import { decodeRange, decodeTable, type RangeEntry, type TableEntry } from './entry.ts';
import { keyPrefix } from './entry-parts.ts';
import type { Guards } from './pin.ts';
import type { MysqlBase } from './types.ts';

/** What an earlier snapshot gives of a table: ranges that the server may still have as they are. */
export interface TableState {
  /** Bounds of ranges mean the same under an equal one. */
  readonly definition: Uint8Array;
  readonly ranges: readonly RangeEntry[];
}

/** An earlier snapshot's tables. A row is reused because the server has it now, so any snapshot of the database will do. */
export class Base {
  readonly #base: MysqlBase;
  readonly #tables: ReadonlyMap<string, TableEntry>;

  private constructor(base: MysqlBase, tables: ReadonlyMap<string, TableEntry>) {
    this.#base = base;
    this.#tables = tables;
  }

  /** Undefined where the listing cannot be read: everything is read anew. */
  static load(base: MysqlBase): Promise<Base | undefined> {
    return orDamaged(async () => {
      const tables = new Map<string, TableEntry>();
      for await (const entry of readListing(base.source, base.root, { prefix: keyPrefix('table') })) {
        const table = decodeTable(entry);
        tables.set(table.name, table);
      }
      return new Base(base, tables);
    });
  }

  /** Whether a new snapshot may refer to everything that makes up some content, the nodes of long lists included. */
  async mayRefer(content: Content): Promise<boolean> {
    const base = this.#base;
    let isWhole = true;
    const nodes: ChunkSource = {
      get(id, chunkClass) {
        if (!base.has(id, chunkClass)) isWhole = false;
        return base.source.get(id, chunkClass);
      },
    };
    const walked = await orDamaged(async () => {
      for await (const extent of extentsOf(nodes, content))
        if (!isWhole || (extent.kind === 'chunk' && !base.has(extent.id, 'data'))) return false;
      return isWhole;
    });
    return walked === true;
  }

  has(table: string): boolean {
    return this.#tables.has(table);
  }

  /** Undefined: nothing of it can be used. */
  async state(
    table: string,
    definition: Uint8Array,
    guards: Pick<Guards, 'anyDefinition'> = {},
  ): Promise<TableState | undefined> {
    const known = this.#tables.get(table);
    if (!known) return undefined;
    if (Buffer.compare(known.definition, definition) !== 0 && !guards.anyDefinition) return undefined;
    return orDamaged(async () => {
      const ranges: RangeEntry[] = [];
      for await (const entry of readListing(this.#base.source, this.#base.root, {
        prefix: keyPrefix('range', table),
      }))
        ranges.push(decodeRange(entry));
      return isWhole(ranges) ? { definition, ranges } : undefined;
    });
  }
}

/** Only the first has no bound, so that every row is in one of them. */
function isWhole(ranges: readonly RangeEntry[]): boolean {
  return ranges.length > 0 && ranges.every((range, i) => (range.from === null) === (i === 0));
}

const losses = new Set(['STORE_DAMAGED', 'STORE_OBJECT_MISSING', 'STORE_READ_FAILED']);

async function orDamaged<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isStoreError(error) && losses.has(error.code)) return undefined;
    throw error;
  }
}
