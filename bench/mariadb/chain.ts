import { createHash } from 'node:crypto';
import { cutsFrom } from '../../chunker/index.ts';
import type { DatabaseResult, FinishOptions } from '../../engine/database/index.ts';
import { connectMysql, type MysqlOptions, restoreMysql } from '../../engine/database/mysql/index.ts';
import { storedRows } from '../../engine/database/mysql/load.ts';
import { databaseScript } from '../../engine/database/mysql/script.ts';
import { type ChunkSink, systemSeams } from '../../store/index.ts';
import { type RawChunks, rawChunks } from '../hostile/chunks.ts';
import type { MariadbServer } from '../servers/index.ts';

const { clock } = systemSeams;
const digestKey = new Uint8Array(16).fill(7);
const cuts = cutsFrom(
  (label, length) => new Uint8Array(createHash('shake256', { outputLength: length }).update(label).digest()),
);
const snapshot = 'ab'.repeat(32) as Parameters<typeof restoreMysql>[0]['snapshot'];

/** A database, and what a chain of backups of it leaves in memory. */
export class Chain {
  readonly server: MariadbServer;
  readonly database: string;
  readonly chunks: RawChunks = rawChunks();
  readonly #options: Partial<MysqlOptions>;
  last: DatabaseResult | undefined;

  constructor(server: MariadbServer, database: string, options: Partial<MysqlOptions> = {}) {
    this.server = server;
    this.database = database;
    this.#options = options;
  }

  /** What a backup needs beside its database. */
  get copy(): FinishOptions {
    const { chunks } = this;
    const sink: ChunkSink = { put: async (bytes, chunkClass) => chunks.put(bytes, chunkClass) };
    return { sink, source: chunks, cuts, digestKey };
  }

  /** What a backup says; `prepared` runs before the pin, `pinned` after it, before the rows are read. */
  async backUp(
    steps: {
      readonly prepared?: () => Promise<unknown>;
      readonly pinned?: () => Promise<unknown>;
      readonly precopy?: 'new' | 'all';
    } = {},
  ): Promise<DatabaseResult> {
    const { chunks, copy } = this;
    await using source = await connectMysql({
      ...{ type: 'mysql', url: this.server.url(this.database), clock },
      ...this.#options,
    });
    const base = this.last && { source: chunks, has: () => true, root: this.last.root };
    await source.prepare({ base });
    if (steps.precopy) await source.precopy({ ...copy, mode: steps.precopy });
    await steps.prepared?.();
    await source.pin();
    await steps.pinned?.();
    this.last = await source.finish(copy);
    return this.last;
  }

  /** The text of a table's rows as the last backup has it. */
  async rows(table: string): Promise<string> {
    const parts: Uint8Array[] = [];
    const stored = storedRows({ source: this.chunks, root: this.last!.root, table: { name: table } });
    for await (const part of stored) parts.push(Uint8Array.from(part));
    return Buffer.concat(parts).toString('latin1');
  }

  /** What MariaDB's own client loads. */
  script(): AsyncIterable<Uint8Array | string> {
    return databaseScript({ source: this.chunks, root: this.last!.root });
  }

  async restore(
    name: string,
    more: Partial<Parameters<typeof restoreMysql>[0]> = {},
  ): ReturnType<typeof restoreMysql> {
    const { chunks } = this;
    return restoreMysql({
      ...{ type: 'mysql', url: this.server.url(name), clock, snapshot, source: chunks, digestKey },
      root: this.last!.root,
      ...more,
    });
  }
}
