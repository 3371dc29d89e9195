import { type BytePath, join } from '../paths.ts';
import { type FolderStat, isFolder, type Stats } from '../system/stat.ts';

/** A child as its folder's listing and its own stat show it. */
export type Met =
  | { readonly kind: 'met'; readonly name: BytePath; readonly stats: Stats }
  | { readonly kind: 'vanished'; readonly path: BytePath }
  | { readonly kind: 'unreadable'; readonly path: BytePath; readonly error: unknown };

/**
 * Children in listing order from names in byte order. A folder `a` comes after `a-b` and `a.txt`, as `a/` does: it is
 * held back while names follow that begin with `a` and go on with a byte below the slash.
 */
export class SiblingStream {
  #names: readonly BytePath[];
  #folder: { path: BytePath; stat: FolderStat };
  #next = 0;
  #held: (Met & { kind: 'met' })[] = [];

  constructor(names: readonly BytePath[], folder: { path: BytePath; stat: FolderStat }) {
    this.#names = names;
    this.#folder = folder;
  }

  next(): Met | undefined {
    for (;;) {
      const held = this.#held.at(-1);
      const name = this.#names[this.#next];
      if (held && !(name && comesBefore(name, held.name))) return this.#held.pop();
      if (name === undefined) return undefined;
      this.#next++;
      const met = this.#meet(name);
      if (met.kind !== 'met' || !isFolder(met.stats)) return met;
      this.#held.push(met);
    }
  }

  #meet(name: BytePath): Met {
    const { path, stat } = this.#folder;
    try {
      const stats = stat.stat(name);
      return stats ? { kind: 'met', name, stats } : { kind: 'vanished', path: join(path, name) };
    } catch (error) {
      return { kind: 'unreadable', path: join(path, name), error };
    }
  }
}

const slash = 0x2f;
const comesBefore = (name: BytePath, folder: BytePath): boolean =>
  name.length > folder.length && name.charCodeAt(folder.length) < slash && name.startsWith(folder);
