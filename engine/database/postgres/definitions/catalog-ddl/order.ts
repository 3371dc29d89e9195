import { engineError } from '../../../../errors.ts';
import { compareItems, type Item, itemKinds } from './definitions.ts';
import type { Edges } from './depends.ts';

const firstAfterRows = itemKinds.indexOf('check');

/** Sorts items so that each follows what it must; otherwise by kind and name, so that equal catalogs give equal text. */
export function sortItems(items: readonly Item[], { follows }: Edges): Item[] {
  const blockers = new Map<Item, Set<Item>>();
  const blocked = new Map<Item, Item[]>();
  const ready = new Heap();
  for (const item of items) {
    const others = new Set(follows.get(item));
    blockers.set(item, others);
    for (const other of others) {
      const list = blocked.get(other);
      if (list) list.push(item);
      else blocked.set(other, [item]);
    }
    if (others.size === 0) ready.push(item);
  }
  const sorted: Item[] = [];
  for (let item = ready.pop(); item; item = ready.pop()) {
    sorted.push(item);
    for (const other of blocked.get(item) ?? []) {
      const others = blockers.get(other)!;
      others.delete(item);
      if (others.size === 0) ready.push(other);
    }
  }
  if (sorted.length < items.length) refuseCycle(items, blockers);
  return sorted;
}

function refuseCycle(items: readonly Item[], blockers: ReadonlyMap<Item, ReadonlySet<Item>>): never {
  const waiting = items.filter(item => blockers.get(item)!.size > 0);
  const names = cycleAmong(waiting, blockers).map(({ kind, name }) => `${kind} ${name}`);
  throw engineError('DATABASE_UNSUPPORTED', `Cannot write definitions: ${names.join(', ')} need each other`, {
    remedy: 'Break the circle, or install the client package (pg_dump) of the same version as the server.',
    context: { objects: names },
  });
}

function cycleAmong(
  waiting: readonly Item[],
  blockers: ReadonlyMap<Item, ReadonlySet<Item>>,
): readonly Item[] {
  const path: Item[] = [];
  for (let at = waiting[0]; at && !path.includes(at); ) {
    path.push(at);
    at = [...blockers.get(at)!].find(one => waiting.includes(one));
  }
  const last = [...blockers.get(path.at(-1)!)!].find(one => path.includes(one));
  return path.slice(last ? path.indexOf(last) : 0);
}

/** Which items wait for the rows: by their kind, or because something that they need does. */
export function itemsAfterRows(sorted: readonly Item[], { needs }: Edges): Set<Item> {
  const late = new Set<Item>();
  for (const item of sorted) {
    const byNeed = [...(needs.get(item) ?? [])].find(one => late.has(one));
    if (byNeed && item.kind === 'table')
      throw engineError(
        'DATABASE_UNSUPPORTED',
        `Cannot write definitions: table ${item.name} needs ${byNeed.kind} ${byNeed.name}`,
        {
          remedy: 'Install the client package (pg_dump) of the same version as the server.',
          context: { objects: [`table ${item.name}`, `${byNeed.kind} ${byNeed.name}`] },
        },
      );
    if (byNeed || itemKinds.indexOf(item.kind) >= firstAfterRows) late.add(item);
  }
  return late;
}

/** A binary heap: a database may well have a hundred thousand objects. */
class Heap {
  readonly #items: Item[] = [];

  push(item: Item): void {
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (compareItems(items[up]!, item) <= 0) break;
      items[at] = items[up]!;
      at = up;
    }
    items[at] = item;
  }

  pop(): Item | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (!last || items.length === 0) return top;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= items.length) break;
      if (down + 1 < items.length && compareItems(items[down + 1]!, items[down]!) < 0) down += 1;
      if (compareItems(last, items[down]!) <= 0) break;
      items[at] = items[down]!;
      at = down;
    }
    items[at] = last;
    return top;
  }
}
