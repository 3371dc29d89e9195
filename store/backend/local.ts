import { dirname, join, resolve } from 'node:path';
import { syncFolderOf, temporaryPrefix, writeDurably } from '../durable.ts';
import { type StillpointError, storeError } from '../errors.ts';
import { type FileKind, type FileSystem, nodeFileSystem, type OpenFile } from '../file-system.ts';
import { hex } from '../ids.ts';
import { errnoOf, isFull, mediumError } from '../medium-error.ts';
import { type Randomness, systemSeams } from '../seams.ts';
import {
  assertObjectName,
  assertPrefix,
  type Backend,
  type CallOptions,
  checkRange,
  compareNames,
  type GetOptions,
  isObjectName,
  type LeftoverOptions,
  type ListedObject,
  objectMissing,
  type PutOptions,
} from './backend.ts';
import { makeFolder, makeRoot, rootIdentity } from './local-folders.ts';
import { leftoverAgeMs, removeTemporaries } from './local-leftovers.ts';
import { giveReserve, keepReserve } from './local-reserve.ts';

export interface LocalBackendOptions {
  /** Makes the folder unless it is there; one that holds anything but a store is STORE_NOT_EMPTY. */
  readonly create?: boolean;
  readonly fileSystem?: FileSystem;
  readonly randomness?: Randomness;
}

/** Objects as files below a folder. STORE_MISSING when there is no such folder. */
export async function openLocalBackend(path: string, options: LocalBackendOptions = {}): Promise<Backend> {
  const { create = false, fileSystem = nodeFileSystem, randomness = systemSeams.randomness } = options;
  const root = resolve(path);
  if (create) await makeRoot(fileSystem, root);
  const identity = await rootIdentity(fileSystem, root);
  const isNetwork = await fileSystem.isNetwork(root).catch(() => true); // unknown: be careful
  return new LocalBackend(root, { identity, isNetwork, fileSystem, randomness });
}

class LocalBackend implements Backend {
  readonly location: string;
  readonly #identity: string;
  readonly #isNetwork: boolean;
  readonly #fileSystem: FileSystem;
  readonly #randomness: Randomness;
  /** Folders that exist and whose own names are durable; the store's own is looked at again each time. */
  readonly #folders = new Map<string, Promise<void>>();
  /** Folders that hold names which are not durable yet. */
  readonly #unsynced = new Set<string>();
  /** Names may have been lost without a trace: nothing more is written through this backend. */
  #failure: unknown;

  constructor(
    location: string,
    facts: { identity: string; isNetwork: boolean; fileSystem: FileSystem; randomness: Randomness },
  ) {
    this.location = location;
    this.#identity = facts.identity;
    this.#isNetwork = facts.isNetwork;
    this.#randomness = facts.randomness;
    const { fileSystem } = facts;
    this.#fileSystem = {
      ...fileSystem,
      syncFolder: async path => {
        try {
          await fileSystem.syncFolder(path);
        } catch (error) {
          this.#failure ??= mediumError('write', path, error);
          throw error;
        }
      },
    };
  }

  async put(
    name: string,
    bytes: Uint8Array | readonly Uint8Array[],
    { sync = 'now', signal }: PutOptions = {},
  ): Promise<'created' | 'exists'> {
    assertObjectName(name);
    signal?.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
    const path = this.#path(name);
    await this.#ensureFolder(dirname(path));
    const outcome = await writeDurably(path, bytes, {
      overwrite: 'never',
      folder: sync,
      fileSystem: this.#fileSystem,
      randomness: this.#randomness,
      ...(signal === undefined ? {} : { signal }),
    }).catch(async (error: unknown) => {
      throw isFull(error) ? await this.#fullError(error) : error;
    });
    if (sync === 'deferred') this.#unsynced.add(path);
    return outcome;
  }

  async sync({ signal }: CallOptions = {}): Promise<void> {
    const folders = new Map([...this.#unsynced].map(path => [dirname(path), path]));
    this.#unsynced.clear();
    for (const path of folders.values()) {
      if (this.#failure !== undefined) throw this.#failure;
      await syncFolderOf(path, this.#fileSystem);
    }
    if (this.#failure !== undefined) throw this.#failure;
    signal?.throwIfAborted();
  }

  async get(name: string, options: GetOptions = {}): Promise<Uint8Array> {
    assertObjectName(name);
    options.signal?.throwIfAborted();
    try {
      const file = await this.#fileSystem.open(this.#path(name));
      try {
        return await readObject(file, name, options);
      } finally {
        await file.close();
      }
    } catch (error) {
      // Whoever may write here could lead a reader anywhere: folders may be links, objects are files of their own.
      if (errnoOf(error) === 'ELOOP') throw noFile(name, 'it is a link');
      if (errnoOf(error) !== 'ENOENT') throw mediumError('read', this.#path(name), error);
      await this.#checkRoot();
      throw objectMissing(name, this.location);
    }
  }

  async *list(prefix: string, options: CallOptions = {}): AsyncGenerator<ListedObject> {
    assertPrefix(prefix);
    yield* this.#walk(prefix.slice(0, prefix.lastIndexOf('/') + 1), prefix, options);
  }

  async delete(name: string, { signal }: CallOptions = {}): Promise<void> {
    assertObjectName(name);
    signal?.throwIfAborted();
    const path = this.#path(name);
    try {
      await this.#fileSystem.unlink(path);
      this.#unsynced.add(path);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw mediumError('delete', path, error);
      await this.#checkRoot();
    }
  }

  async removeLeftovers({ nowMs, signal }: LeftoverOptions): Promise<number> {
    return removeTemporaries(this.#fileSystem, this.location, {
      before: nowMs - leftoverAgeMs,
      ...(signal && { signal }),
    });
  }

  async freeBytes(): Promise<number | undefined> {
    const space = await this.#fileSystem.space(this.location).catch(() => undefined); // a quota says the rest
    return space?.freeBytes;
  }

  async keepReserve(): Promise<void> {
    await keepReserve(this.location, { fileSystem: this.#fileSystem, randomness: this.#randomness });
  }

  async giveReserve(): Promise<boolean> {
    return giveReserve(this.location, this.#fileSystem);
  }

  async close(): Promise<void> {}

  /** How full it is once what was written in vain is gone again. */
  async #fullError(error: StillpointError): Promise<Error> {
    const space = await this.#fileSystem.space(this.location).catch(() => undefined); // the error says enough
    if (!space) return error;
    const { freeBytes, freeFiles } = space;
    const free = [
      `${(freeBytes / 2 ** 20).toFixed(1)} MiB`,
      ...(freeFiles === undefined ? [] : [`${freeFiles} inodes`]),
    ];
    return storeError('STORE_WRITE_FAILED', `${error.message} (free: ${free.join(', ')})`, {
      remedy: error.remedy ?? '',
      context: { ...error.context, freeBytes, freeFiles },
      cause: error,
    });
  }

  #path(name: string): string {
    return join(this.location, name);
  }

  /** `folder` is empty or ends in a slash. */
  async *#walk(folder: string, prefix: string, options: CallOptions): AsyncGenerator<ListedObject> {
    for (const { name, kind } of await this.#readFolder(folder)) {
      options.signal?.throwIfAborted();
      if (kind === 'folder') {
        const inner = `${name}/`;
        if (inner.startsWith(prefix) || prefix.startsWith(inner)) yield* this.#walk(inner, prefix, options);
      } else if (name.startsWith(prefix)) {
        const facts = await this.#stat(name);
        if (facts?.kind === 'file') yield { name, bytes: facts.bytes };
      }
    }
  }

  /** Names of objects and of folders that may hold some, in the order of what they list. */
  async #readFolder(folder: string): Promise<{ name: string; kind: FileKind }[]> {
    const path = this.#path(folder.slice(0, -1));
    const found: { name: string; kind: FileKind; order: string }[] = [];
    try {
      if (this.#isNetwork && !folder.startsWith('packs/')) await this.#refresh(path);
      for (const entry of await this.#fileSystem.readFolder(path)) {
        const name = folder + entry.name;
        if (!isObjectName(name)) continue;
        const kind = entry.kind === 'other' ? (await this.#stat(name))?.kind : entry.kind;
        if (kind === undefined || kind === 'other') continue;
        found.push({ name, kind, order: kind === 'folder' ? `${name}/` : name });
      }
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || folder === '') throw mediumError('list', path, error);
      await this.#checkRoot(); // no folder yet is no object yet, but only in the store that was opened
    }
    return found.sort((a, b) => compareNames(a.order, b.order));
  }

  /** A network file system may answer from memory until something changes in the folder. */
  async #refresh(path: string): Promise<void> {
    const temporary = join(path, `${temporaryPrefix}${hex(this.#randomness.bytes(12))}`);
    try {
      await (await this.#fileSystem.create(temporary, 0o600)).close();
      await this.#fileSystem.unlink(temporary);
    } catch (error) {
      // Who may not write is a reader, for whom a list that is a little late is allowed; the rest shows when listing.
      if (!refreshOptional.has(errnoOf(error) ?? '')) throw error;
    }
  }

  /** Undefined when it is gone. */
  async #stat(name: string): Promise<{ kind: FileKind; bytes: number } | undefined> {
    try {
      return await this.#fileSystem.stat(this.#path(name));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw mediumError('list', this.#path(name), error);
    }
  }

  /** A store that was unmounted since must not look like one that is empty. */
  async #checkRoot(verb: 'read' | 'write' = 'read'): Promise<void> {
    const identity = await rootIdentity(this.#fileSystem, this.location);
    if (identity === this.#identity) return;
    const code = verb === 'read' ? 'STORE_READ_FAILED' : 'STORE_WRITE_FAILED';
    throw storeError(code, `Cannot ${verb} in ${this.location}: another folder is in its place`, {
      remedy: 'Check that the file system of the store is mounted.',
    });
  }

  #ensureFolder(path: string): Promise<void> {
    const known = this.#folders.get(path);
    if (known !== undefined) return known;
    const made = this.#makeFolder(path).catch((error: unknown) => {
      this.#folders.delete(path);
      throw mediumError('write', path, error);
    });
    if (path !== this.location) this.#folders.set(path, made);
    return made;
  }

  /** Also when it was there: whoever made it may have died before its name was durable. */
  async #makeFolder(path: string): Promise<void> {
    if (path === this.location) {
      await this.#checkRoot('write'); // an unmounted store must not grow again below its mount point
      return;
    }
    await this.#ensureFolder(dirname(path));
    await makeFolder(this.#fileSystem, path);
    await syncFolderOf(path, this.#fileSystem);
  }
}

const refreshOptional = new Set(['EROFS', 'EACCES', 'EPERM', 'ENOSPC', 'EDQUOT', 'ENOENT']);

const noFile = (name: string, state: string): Error =>
  storeError('STORE_DAMAGED', `Cannot read ${name}: ${state}`, {
    remedy: 'Find out who put it there; an object is a file of its own.',
    context: { object: name },
  });

async function readObject(file: OpenFile, name: string, options: GetOptions): Promise<Uint8Array> {
  const facts = await file.stat();
  if (facts.kind !== 'file') throw noFile(name, 'it is no file');
  const { start, end } = checkRange(name, facts.bytes, options);
  const bytes = new Uint8Array(end - start);
  for (let done = 0; done < bytes.length; ) {
    const count = await file.read(bytes.subarray(done), start + done);
    if (count === 0) checkRange(name, start + done, { offset: start, length: bytes.length }); // it shrank: throws
    done += count;
  }
  return bytes;
}
