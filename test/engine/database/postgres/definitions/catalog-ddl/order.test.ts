import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Item,
  type ItemKind,
  itemKinds,
} from '../../../../../../engine/database/postgres/definitions/catalog-ddl/definitions.ts';
import {
  itemsAfterRows,
  sortItems,
} from '../../../../../../engine/database/postgres/definitions/catalog-ddl/order.ts';

type Needs = Map<Item, Set<Item>>;

function item(kind: ItemKind, name: string): Item {
  return { kind, name, statements: [] };
}

function edges(pairs: readonly (readonly [Item, Item])[], items: readonly Item[]) {
  const needs: Needs = new Map(items.map(one => [one, new Set<Item>()]));
  for (const [one, other] of pairs) needs.get(one)!.add(other);
  return { needs, follows: needs };
}

/** Items, and pairs of which the first needs the second; no circle, because the second always stands before. */
const graphs = fc
  .record({
    kinds: fc.array(fc.constantFrom(...itemKinds), { minLength: 1, maxLength: 40 }),
    pairs: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 80 }),
    shuffle: fc.array(fc.nat(), { minLength: 40, maxLength: 40 }),
  })
  .map(({ kinds, pairs, shuffle }) => {
    const items = kinds.map((kind, at) => item(kind, `n${(at * 7919) % 101}`));
    const links = pairs
      .map(([a, b]) => [a % items.length, b % items.length] as const)
      .filter(([a, b]) => a > b)
      .map(([a, b]) => [items[a]!, items[b]!] as const);
    const shuffled = items.map((one, at) => [shuffle[at]!, one] as const).sort(([a], [b]) => a - b);
    return { items, links, shuffled: shuffled.map(([, one]) => one) };
  });

test('every item follows what it needs, and the order does not depend on how the items came', () => {
  fc.assert(
    fc.property(graphs, ({ items, links, shuffled }) => {
      const sorted = sortItems(items, edges(links, items));
      assert.equal(new Set(sorted).size, items.length);
      for (const [one, other] of links) assert.ok(sorted.indexOf(other) < sorted.indexOf(one));
      assert.deepEqual(sortItems(shuffled, edges([...links].reverse(), shuffled)), sorted);
    }),
  );
});

test('without needs, kind decides, then the name', () => {
  const items = [item('view', 'a'), item('table', 'b'), item('index', 'a'), item('table', 'a')];
  assert.deepEqual(
    sortItems(items, edges([], items)).map(({ kind, name }) => `${kind} ${name}`),
    ['table a', 'table b', 'view a', 'index a'],
  );
});

test('a circle is refused, naming who is in it and nobody else', () => {
  const [a, b, c, d] = [item('table', 'a'), item('function', 'b'), item('view', 'c'), item('view', 'd')];
  const items = [a!, b!, c!, d!];
  const pairs = [[a!, b!] as const, [b!, c!] as const, [c!, a!] as const, [d!, a!] as const];
  assert.throws(
    () => sortItems(items, edges(pairs, items)),
    (error: { code?: string; context?: { objects?: string[] } }) => {
      assert.equal(error.code, 'DATABASE_UNSUPPORTED');
      assert.deepEqual(error.context?.objects?.toSorted(), ['function b', 'table a', 'view c']);
      return true;
    },
  );
});

test('what needs a key waits for the rows, with everything that needs it in turn', () => {
  const [table, key, view, reader] = [
    item('table', 't'),
    item('key', 't pk'),
    item('view', 'v'),
    item('function', 'f'),
  ];
  const items = [table!, key!, view!, reader!];
  const pairs = [[key!, table!] as const, [view!, key!] as const, [reader!, view!] as const];
  const graph = edges(pairs, items);
  const late = itemsAfterRows(sortItems(items, graph), graph);
  assert.deepEqual([...late].map(({ name }) => name).sort(), ['f', 't pk', 'v']);
});

test('a table that needs what comes after the rows is refused: nothing could be loaded into it', () => {
  const items = [item('table', 't'), item('key', 'k')];
  const graph = edges([[items[0]!, items[1]!]], items);
  assert.throws(() => itemsAfterRows(sortItems(items, graph), graph), { code: 'DATABASE_UNSUPPORTED' });
});
