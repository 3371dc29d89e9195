/** How many files and tables are named one by one before the rest is counted. */
const namesMax = 1_000;

interface Lost {
  readonly names: string[];
  unnamed: number;
  /** The one that the last names are of. */
  snapshot: string;
  /** The one that the last names are in. */
  repository: string | undefined;
}

/** What is lost with each damaged object, in the order of snapshots and listings. */
export class Losses {
  readonly #byObject = new Map<string, Lost>();

  /** Snapshots and repositories are always named. */
  add(
    object: string,
    { snapshot, repository, name }: { snapshot: string; repository?: string | undefined; name?: string },
  ): void {
    const lost = this.#lost(object);
    if (lost.snapshot !== snapshot) {
      lost.names.push(snapshot);
      lost.repository = undefined;
    }
    lost.snapshot = snapshot;
    if (repository !== undefined && lost.repository !== repository) lost.names.push(repository);
    lost.repository = repository;
    if (name === undefined) return;
    if (lost.names.length < namesMax) lost.names.push(name);
    else lost.unnamed += 1;
  }

  has(object: string): boolean {
    return this.#byObject.has(object);
  }

  /** A damaged manifest is its own snapshot; what is in no listing can be made again from what is whole. */
  of(object: string): readonly string[] {
    const [folder, id] = object.split('/');
    if (folder === 'manifests' && id) return [`snapshot ${id.slice(0, 8)}`];
    const lost = this.#byObject.get(object);
    if (!lost) return [];
    return lost.unnamed === 0 ? lost.names : [...lost.names, `and ${lost.unnamed} more`];
  }

  #lost(object: string): Lost {
    const known = this.#byObject.get(object);
    if (known) return known;
    const lost: Lost = { names: [], unnamed: 0, snapshot: '', repository: undefined };
    this.#byObject.set(object, lost);
    return lost;
  }
}
