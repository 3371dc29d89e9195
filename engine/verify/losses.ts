/** How many files and tables are named one by one before the rest is counted. */
const namesMax = 1_000;

/** What of one snapshot is lost, in the order of its listings. */
export interface SnapshotLoss {
  readonly snapshot: string;
  readonly parts: readonly LostPart[];
}

/** Names of one repository, or of what is in none. */
interface LostPart {
  readonly repository: string | undefined;
  readonly names: readonly string[];
}

interface Lost {
  readonly snapshots: {
    readonly snapshot: string;
    readonly parts: { repository?: string; names: string[] }[];
  }[];
  named: number;
  unnamed: number;
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
    if (lost.snapshots.at(-1)?.snapshot !== snapshot) lost.snapshots.push({ snapshot, parts: [] });
    if (repository === undefined && name === undefined) return;
    const { parts } = lost.snapshots.at(-1)!;
    const last = parts.at(-1);
    if (last === undefined || last.repository !== repository)
      parts.push({ ...(repository !== undefined && { repository }), names: [] });
    if (name === undefined) return;
    if (lost.named < namesMax) parts.at(-1)!.names.push(name);
    else lost.unnamed += 1;
    lost.named += 1;
  }

  /** By snapshot and repository. A damaged manifest is its own snapshot; what is in no listing can be made again from what is whole. */
  in(object: string): { readonly lost: readonly SnapshotLoss[]; readonly unnamed: number } {
    const [folder, id] = object.split('/');
    if (folder === 'manifests' && id)
      return { lost: [{ snapshot: `snapshot ${id.slice(0, 8)}`, parts: [] }], unnamed: 0 };
    const { snapshots, unnamed } = this.#byObject.get(object) ?? { snapshots: [], unnamed: 0 };
    const lost = snapshots.map(({ snapshot, parts }) => ({
      snapshot,
      parts: parts.map(({ repository, names }) => ({ repository, names })),
    }));
    return { lost, unnamed };
  }

  #lost(object: string): Lost {
    const known = this.#byObject.get(object);
    if (known) return known;
    const lost: Lost = { snapshots: [], named: 0, unnamed: 0 };
    this.#byObject.set(object, lost);
    return lost;
  }
}

/** The same as one list of names: each snapshot, each repository in it, each file or table in that. */
export function namesOf(lost: readonly SnapshotLoss[]): string[] {
  return lost.flatMap(({ snapshot, parts }) => [
    snapshot,
    ...parts.flatMap(part => [...(part.repository === undefined ? [] : [part.repository]), ...part.names]),
  ]);
}
