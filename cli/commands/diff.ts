import {
  type DatabaseDifference,
  diffDatabases,
  type EntryChange,
  HomeDifference,
  type Snapshot,
} from '../../engine/index.ts';
import type { Store } from '../../store/index.ts';
import type { Command, Context } from '../context.ts';
import { openConfiguredStore } from '../open-store.ts';
import { jsonDocument, pour } from '../pour.ts';
import {
  entryChangeJson,
  entryChangeLine,
  refChangeJson,
  refChangeLine,
  sequenceChangeJson,
  sequenceChangeLine,
  tableChangeJson,
  tableChangeLine,
} from '../render/changes.ts';
import { toJsonText } from '../render/output.ts';
import { count, counted } from '../render/quantities.ts';
import { type SnapshotWish, snapshotNamed } from '../snapshot-named.ts';

interface DiffOptions extends Omit<SnapshotWish, 'snapshot'> {
  readonly before: string;
  readonly after: string;
}

/** Tells what differs between two snapshots: files, refs, rows, sequences, definitions. */
export const diff: Command<DiffOptions> = async (context, options) => {
  await using store = await openConfiguredStore(context);
  const before = await snapshotNamed(context, store, { ...options, snapshot: options.before });
  const after = await snapshotNamed(context, store, { ...options, snapshot: options.after });
  for (const half of ['home', 'database'] as const) {
    if ((before[half] === null) !== (after[half] === null))
      context.output.notice(`Only one of the snapshots holds a ${half}`);
  }
  if (before.database && after.database && before.database.type !== after.database.type)
    context.output.notice('The snapshots hold databases of two kinds, which are not compared');
  const comparison = new Comparison(store, { before, after, signal: context.signal });
  await pour(context, context.output.json ? comparison.document() : comparison.lines());
  return 0;
};

interface Compared {
  readonly before: Snapshot;
  readonly after: Snapshot;
  readonly signal: Context['signal'];
}

/** Two snapshots on their way to the reader; counts what it tells. */
class Comparison {
  readonly #store: Store;
  readonly #compared: Compared;
  readonly #home: HomeDifference;
  readonly #files: Record<EntryChange['how'], number> = {
    added: 0,
    removed: 0,
    content: 0,
    metadata: 0,
    kind: 0,
  };
  #refs = 0;
  #database: DatabaseDifference | null | undefined;

  constructor(store: Store, compared: Compared) {
    this.#store = store;
    this.#compared = compared;
    this.#home = new HomeDifference(store, compared);
  }

  /** In pieces; the lists in their order, since each is known when the one before has ended. */
  document(): AsyncGenerator<string> {
    const { before, after } = this.#compared;
    return jsonDocument({
      head: { before: before.id, after: after.id },
      lists: [
        ['files', told(this.#entries(), entryChangeJson)],
        ['refs', told(this.#movedRefs(), refChangeJson)],
        ['tables', this.#ofDatabase(({ tables }) => tables.map(tableChangeJson))],
        ['sequences', this.#ofDatabase(({ sequences }) => sequences.map(sequenceChangeJson))],
        ['definitions', this.#ofDatabase(({ definitions }) => definitions)],
      ],
      tail: () => ({ summary: this.#summary() }),
      toText: toJsonText,
    });
  }

  async *lines(): AsyncGenerator<string> {
    for await (const change of this.#entries()) yield `${entryChangeLine(change)}\n`;
    for await (const change of this.#movedRefs()) yield `${refChangeLine(change)}\n`;
    for await (const line of this.#ofDatabase(databaseLines)) yield `${line}\n`;
    yield `${this.#inWords()}\n`;
  }

  async *#entries(): AsyncGenerator<EntryChange> {
    for await (const change of this.#home.entries()) {
      this.#compared.signal.throwIfAborted();
      this.#files[change.how] += 1;
      yield change;
    }
  }

  async *#movedRefs() {
    for await (const change of this.#home.refs()) {
      this.#compared.signal.throwIfAborted();
      this.#refs += 1;
      yield change;
    }
  }

  async *#ofDatabase<T>(pick: (difference: DatabaseDifference) => readonly T[]): AsyncGenerator<T> {
    const { before, after, signal } = this.#compared;
    if (this.#database === undefined) {
      this.#database =
        before.database && after.database
          ? await diffDatabases(this.#store, {
              before: before.database,
              after: after.database,
              key: this.#store.rowDigestKey,
              signal,
            })
          : null;
    }
    if (this.#database) yield* pick(this.#database);
  }

  #summary(): Record<string, unknown> {
    const { before, after } = this.#compared;
    const { tables = [], sequences = [], definitions = [] } = this.#database ?? {};
    return {
      files: this.#files,
      refs: this.#refs,
      tables: tables.length,
      sequences: sequences.length,
      definitions: definitions.length,
      comparedHome: before.home !== null && after.home !== null,
      comparedDatabase: before.database !== null && before.database.type === after.database?.type,
    };
  }

  #inWords(): string {
    const { added, removed, content, metadata, kind } = this.#files;
    const { tables = [] } = this.#database ?? {};
    const files = `${count(added)} added, ${count(removed)} removed, ${count(content + kind)} changed, ${count(metadata)} beside the content`;
    return `files: ${files}; ${counted(this.#refs, 'ref')}; ${counted(tables.length, 'table')}`;
  }
}

function databaseLines({ tables, sequences, definitions }: DatabaseDifference): string[] {
  return [
    ...tables.map(tableChangeLine),
    ...sequences.map(sequenceChangeLine),
    ...definitions.map(section => `definitions ${section}`),
  ];
}

async function* told<T>(changes: AsyncIterable<T>, to: (change: T) => unknown): AsyncGenerator<unknown> {
  for await (const change of changes) yield to(change);
}
