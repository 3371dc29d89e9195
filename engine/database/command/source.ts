import {
  type ChunkSource,
  type Content,
  isStoreError,
  ListingBuilder,
  type ListingRoot,
  sameContent,
} from '../../../store/index.ts';
import { type Command, type CommandMoment, checkCommand, runCommand } from '../../command/index.ts';
import { engineError } from '../../errors.ts';
import { environmentOf } from '../../hooks.ts';
import { rowsWriter } from '../../ingest/index.ts';
import type {
  ConnectOptions,
  DatabaseBase,
  DatabaseEstimate,
  DatabaseFacts,
  DatabasePrecopied,
  DatabaseResult,
  DatabaseSource,
  FinishOptions,
  OtherSession,
  PinOptions,
} from '../database.ts';
import type { CommandMarks } from '../marks.ts';
import { dumpIn, encodeDump } from './entry.ts';
import { doubtsAbout, holdsNothing, startBytes } from './start.ts';
import type { CommandAddress } from './types.ts';

/** What the dump command gave. */
interface Dumped {
  readonly content: Content | null;
  readonly id: string | null;
  readonly start: Uint8Array;
}

type RunOptions = Pick<PinOptions, 'signal'>;

/**
 * A database of which nothing is known but a command that dumps it. The command runs inside the window, because what it
 * reads later would not be of the instant of the pair; it runs after the unlock only where another one has pinned a view
 * inside the window, and is told its name.
 */
export class CommandSource implements DatabaseSource<CommandMarks> {
  readonly #options: CommandAddress & ConnectOptions & { readonly dump: Command };
  #base: DatabaseBase<CommandMarks> | null = null;
  #dumped: Dumped | undefined;
  /** What the pin command printed. */
  #pinned: string | undefined;

  constructor(options: CommandAddress & ConnectOptions) {
    const { dump } = options;
    if (!dump) throw new TypeError('Cannot back up: no command makes a dump');
    this.#options = { ...options, dump };
  }

  async prepare(
    options: RunOptions & { readonly base?: DatabaseBase<CommandMarks> | null | undefined } = {},
  ): Promise<DatabaseFacts> {
    const { dump, pin, unpin, place } = this.#options;
    this.#base = options.base ?? null;
    for (const [name, command] of Object.entries({ dump, pin, unpin }))
      if (command)
        await checkCommand(command, {
          key: `database.${name}`,
          folder: place.folder,
          signal: options.signal,
        });
    return { database: '', serverVersion: '', tables: 0, bytes: 0 };
  }

  /** Nothing can be read before the lock: a dump is of one instant. */
  async precopy(): Promise<DatabasePrecopied> {
    return { segments: 0, rows: 0, bytes: 0 };
  }

  async estimate(): Promise<DatabaseEstimate> {
    return { tables: 0, bytes: 0, changedTables: 0, changedSegments: 1, segments: 1 };
  }

  async pin({ sink, cuts, signal }: PinOptions = {}): Promise<{ readonly pinMs: number }> {
    const { clock, pin } = this.#options;
    const startedMs = clock.monotonicMs();
    if (pin) {
      this.#pinned = ''; // it may have pinned something, however it ends
      const { output } = await this.#run(pin, { moment: 'pin', signal, isHeld: true });
      if (output === '') throw printedNothing('pin', pin);
      this.#pinned = output;
    } else {
      if (!sink || !cuts) throw new TypeError('Cannot dump: nowhere to store it');
      this.#dumped = await this.#dump({ sink, cuts, signal, isHeld: true });
    }
    return { pinMs: clock.monotonicMs() - startedMs };
  }

  /** What pins a view says so by its end; nothing is asked again. */
  async holds(): Promise<boolean> {
    return true;
  }

  async otherSessions(): Promise<readonly OtherSession[]> {
    return [];
  }

  async finish({
    sink,
    source,
    cuts,
    signal,
    onProgress,
  }: FinishOptions): Promise<DatabaseResult<CommandMarks>> {
    const warnings: string[] = [];
    const dumped = this.#dumped ?? (await this.#dump({ sink, cuts, signal, isHeld: false }));
    warnings.push(...(await this.#unpin({ signal })));
    const { content, id } = dumped;
    const listing = new ListingBuilder(sink, cuts.nodes);
    if (content) await listing.add(encodeDump(content));
    const root: ListingRoot = await listing.finish();
    const before = this.#base && (await dumpBefore(source, this.#base.root));
    const bytes = content?.length ?? 0;
    const isChanged = content !== null && !(before && sameContent(before, content));
    onProgress?.({ tablesDone: 0, tablesTotal: 0, rows: 0, bytes, bytesTotal: bytes });
    return {
      ...{ type: 'command', output: this.#options.output, id },
      when: this.#options.pin ? 'pinned' : 'in-window',
      ...{ root, database: '', serverVersion: '', tables: 0, rows: 0, bytes },
      segments: content ? 1 : 0,
      changedSegments: isChanged ? 1 : 0,
      warnings: [...warnings, ...doubtsAbout(dumped.start)],
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#unpin({}); // a run that failed says why it did; nobody hears of this
  }

  async #dump({
    sink,
    cuts,
    signal,
    isHeld,
  }: Required<Pick<FinishOptions, 'sink' | 'cuts'>> &
    RunOptions & { readonly isHeld: boolean }): Promise<Dumped> {
    const { dump, output } = this.#options;
    const options = { moment: 'dump', signal, isHeld } as const;
    if (output === 'id') {
      const record = await this.#run(dump, options);
      if (record.output === '') throw printedNothing('dump', dump);
      return { content: null, id: record.output, start: new Uint8Array() };
    }
    const writer = rowsWriter(sink, cuts);
    let start = Buffer.alloc(0);
    const onOutput = (bytes: Uint8Array): Promise<void> => {
      if (start.length < startBytes) start = Buffer.concat([start, bytes.subarray(0, startBytes)]);
      return writer.write(bytes);
    };
    const record = await this.#run(dump, { ...options, onOutput });
    const content = await writer.finish();
    if (holdsNothing(start, content.length)) throw printedNothing('dump', dump);
    return { content, id: record.output || (this.#pinned ?? null), start };
  }

  /** Runs once, whatever comes of it; what went wrong is returned. */
  async #unpin({ signal }: RunOptions): Promise<string[]> {
    const { unpin } = this.#options;
    if (this.#pinned === undefined || !unpin) return [];
    try {
      await this.#run(unpin, { moment: 'unpin', signal, isHeld: false });
      return [];
    } catch (error) {
      if (signal?.aborted) throw error;
      return [(error as Error).message];
    } finally {
      if (!signal?.aborted) this.#pinned = undefined;
    }
  }

  async #run(
    command: Command,
    options: RunOptions & {
      readonly moment: CommandMoment;
      readonly isHeld: boolean;
      readonly onOutput?: (bytes: Uint8Array) => Promise<void>;
    },
  ) {
    const { clock, place, onCommand } = this.#options;
    const env = { ...environmentOf(place), STILLPOINT_OUTPUT: this.#pinned || undefined };
    const record = await runCommand(command, { ...options, env, clock, folder: place.folder });
    onCommand?.(record);
    return record;
  }
}

/** A base that cannot be read is none. */
async function dumpBefore(source: ChunkSource, root: ListingRoot): Promise<Content | null> {
  try {
    return await dumpIn(source, root);
  } catch (error) {
    if (isStoreError(error)) return null;
    throw error;
  }
}

const printedNothing = (which: 'dump' | 'pin', { run }: Command): Error =>
  engineError(
    'DATABASE_FAILED',
    `Cannot back up the database: the ${which} command (${run}) printed nothing`,
    {
      remedy:
        which === 'pin'
          ? 'It must print what names the view, as its last line.'
          : 'Run it by hand as the user of the backup. A pipe hides the failure of all but its last command.',
    },
  );
