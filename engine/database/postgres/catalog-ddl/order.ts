import { engineError } from '../../../errors.ts';
import { type Item, itemKinds } from './definitions.ts';
import type { Edges } from './depends.ts';

const firstAfterRows = itemKinds.indexOf('check');

/** Sorts items so that each follows what it needs; otherwise by kind and name, so that equal catalogs give equal text. */
export function sortItems(items: readonly Item[], edges: Edges): Item[] {
  const blockers = new Map<Item, Set<Item>>();
  const blocked = new Map<Item, Item[]>();
  for (const item of items) {
    const needs = new Set([...(edges.hard.get(item) ?? []), ...(edges.soft.get(item) ?? [])]);
    blockers.set(item, needs);
    for (const other of needs) blocked.set(other, [...(blocked.get(other) ?? []), item]);
  }
  const waiting = new Set(items);
  const ready = new Heap();
  const release = (item: Item): void => {
    waiting.delete(item);
    ready.push(item);
  };
  for (const item of items) if (blockers.get(item)!.size === 0) release(item);
  const sorted: Item[] = [];
  for (;;) {
    const item = ready.pop();
    if (item) {
      sorted.push(item);
      for (const other of blocked.get(item) ?? []) {
        const needs = blockers.get(other)!;
        if (needs.delete(item) && needs.size === 0 && waiting.has(other)) release(other);
      }
    } else if (waiting.size > 0) release(leastTied([...waiting], blockers, edges));
    else return sorted;
  }
}

/** The first item of a cycle that lacks nothing it cannot do without. */
function leastTied(
  waiting: readonly Item[],
  blockers: ReadonlyMap<Item, ReadonlySet<Item>>,
  edges: Edges,
): Item {
  const free = waiting.filter(item => [...blockers.get(item)!].every(one => !edges.hard.get(item)!.has(one)));
  const first = free.sort(compareItems)[0];
  if (first) return first;
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
export function itemsAfterRows(sorted: readonly Item[], edges: Edges): Set<Item> {
  const late = new Set<Item>();
  for (const item of sorted) {
    const byNeed = [...(edges.hard.get(item) ?? [])].find(one => late.has(one));
    if (byNeed && item.kind === 'table')
      throw engineError(
        'DATABASE_UNSUPPORTED',
        `Cannot write definitions: table ${item.name} needs ${byNeed.kind} ${byNeed.name}`,
        { remedy: 'Install the client package (pg_dump) of the same version as the server.' },
      );
    if (byNeed || itemKinds.indexOf(item.kind) >= firstAfterRows) late.add(item);
  }
  return late;
}

function compareItems(a: Item, b: Item): number {
  const kinds = itemKinds.indexOf(a.kind) - itemKinds.indexOf(b.kind);
  return kinds !== 0 ? kinds : a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
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
