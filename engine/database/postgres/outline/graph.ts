import type { NameKey } from './names.ts';
import type { Piece } from './pieces.ts';

/** Objects by name, and what they need of each other. */
export class Graph {
  readonly pieces: readonly Piece[];
  /** By a name: the object that it belongs to. */
  readonly #objects = new Map<NameKey, NameKey>();
  readonly kinds = new Map<NameKey, string>();
  /** What an object's own statements name. */
  readonly #needs = new Map<NameKey, Set<NameKey>>();
  /** What comes with an object: its partitions, the sequences of its columns. */
  readonly #brings = new Map<NameKey, Set<NameKey>>();

  constructor(pieces: readonly Piece[]) {
    this.pieces = pieces;
    for (const { about } of pieces) {
      if (about.what !== 'object' || about.name === undefined) continue;
      if (about.kind !== undefined) {
        this.#objects.set(about.name, about.name);
        if (!this.kinds.has(about.name)) this.kinds.set(about.name, about.kind);
      }
      for (const made of about.makes) if (!this.#objects.has(made)) this.#objects.set(made, about.name);
    }
    for (const { about } of pieces) {
      if (about.what !== 'object') continue;
      if (about.kind === 'operator') this.#addOperator(about.mentions);
      if (about.name === undefined) continue;
      const own = this.objectOf(about.name);
      if (own === undefined) continue;
      const others = this.namedBy(about.mentions).filter(key => key !== own);
      if (about.tie === undefined) for (const other of others) add(this.#needs, own, other);
      else if (about.tie === 'partition') for (const other of others) add(this.#brings, own, other);
      else if (about.tie === 'owned') for (const other of others) add(this.#brings, other, own);
    }
  }

  /** An operator has no name that others could be seen to use, so it comes with the types that it works on. */
  #addOperator(mentions: readonly NameKey[]): void {
    const named = this.namedBy(mentions);
    for (const type of named.filter(key => ['type', 'domain'].includes(this.kinds.get(key) ?? '')))
      for (const other of named) if (other !== type) add(this.#needs, type, other);
  }

  /** Every name by which some objects are there. */
  namesOf(objects: ReadonlySet<NameKey>): NameKey[] {
    return [...this.#objects].filter(([, own]) => objects.has(own)).map(([name]) => name);
  }

  objectOf(name: NameKey): NameKey | undefined {
    return this.#objects.get(name);
  }

  namedBy(mentions: readonly NameKey[]): NameKey[] {
    return [...new Set(mentions.flatMap(name => this.objectOf(name) ?? []))];
  }

  /** Everything that some objects bring and need, but for what exists and is not one of them. */
  closure(
    roots: Iterable<NameKey>,
    existing: ReadonlySet<NameKey>,
  ): { readonly selected: ReadonlySet<NameKey>; readonly reached: ReadonlySet<NameKey> } {
    const selected = reach(roots, key => this.#brings.get(key) ?? []);
    const reached = reach(selected, key =>
      [...(this.#needs.get(key) ?? []), ...(this.#brings.get(key) ?? [])].filter(
        other => selected.has(other) || !existing.has(other),
      ),
    );
    return { selected, reached };
  }
}

function add(map: Map<NameKey, Set<NameKey>>, key: NameKey, value: NameKey): void {
  map.set(key, (map.get(key) ?? new Set()).add(value));
}

function reach(from: Iterable<NameKey>, next: (key: NameKey) => Iterable<NameKey>): Set<NameKey> {
  const found = new Set(from);
  for (const key of found) for (const other of next(key)) found.add(other); // a set yields what is added meanwhile
  return found;
}
