import { type Clock, type ListingRoot, readListingNodes, readListingShape } from '../../../store/index.ts';
import { decodeHomeEntry } from '../entries/entry.ts';
import type { Pace } from '../pace.ts';
import { type BytePath, bytesOf, shown } from '../paths.ts';
import type { IsExcluded } from '../rules/exclude.ts';
import { accessOf, type HomeBase, type TreeBase } from './base.ts';
import { BaseLoader } from './base-loader.ts';
import { BaseNodes, isUnreadable, Presence } from './base-presence.ts';
import { eachContent, recalledRows } from './recall.ts';

/** The root for which something is sought. */
interface KnownRoot {
  /** The path by which it is listed. */
  readonly name: BytePath;
  readonly isExcluded: IsExcluded;
}

interface LoadContext {
  readonly clock: Clock;
  readonly pace: Pace;
  readonly onNote: (note: string) => void;
}

/** Loads what the base has under a root of the same path; undefined when there is nothing that may be built upon. */
export async function loadBase(
  base: HomeBase,
  root: KnownRoot,
  { clock, pace, onNote }: LoadContext,
): Promise<TreeBase | undefined> {
  const known = base.roots.find(({ path }) => Buffer.compare(path, bytesOf(root.name)) === 0);
  if (!known) return undefined;
  if (clock.nowMs() < base.timeMs) {
    onNote('The clock went back since the snapshot before: every file is read again');
    return undefined;
  }
  try {
    const remembered = await recallBase(base, known.listing, pace);
    if (remembered) return remembered;
    const loader = new BaseLoader(base, known.listing, root.isExcluded);
    for await (const { node, entries } of readListingNodes(base.source, known.listing)) {
      for (const entry of entries ?? []) loader.add(entry);
      await loader.checkLists();
      loader.endNode(node);
      await pace.rest();
    }
    return loader.finish();
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    onNote(`The snapshot before cannot be built upon for ${shown(root.name)}: ${error.message}`);
    return undefined;
  }
}

/** As the loader would make it, of rows that an earlier run left in the cache; only inner nodes are read. */
async function recallBase(base: HomeBase, listing: ListingRoot, pace: Pace): Promise<TreeBase | undefined> {
  const bytes = await base.remembered?.get(listing.id);
  const recalled = bytes && recalledRows(bytes);
  if (!recalled || recalled.table.count !== listing.entries) return undefined;
  const { table, rootBody, newestNs } = recalled;
  const nodes = new BaseNodes(base);
  let rows = 0;
  for await (const node of readListingShape(base.source, listing)) {
    base.remembered?.keepNode(node.node);
    if (node.level === 0) rows += node.entries;
    nodes.end(node, rows);
  }
  if (rows !== table.count) return undefined;
  const presence = new Presence(base);
  eachContent(table, {
    chunk(at, id) {
      if (!base.has(id, 'data')) table.setUntaken(at);
    },
    other(at, content) {
      if (!presence.isThere(content)) table.setUntaken(at);
      else if ('list' in content) presence.lists.push({ at, node: content.list });
    },
  });
  await presence.checkLists(table);
  await pace.rest();
  const { fileSystems, rules } = decodeHomeEntry({
    key: bytesOf('/' as BytePath),
    body: rootBody,
    contents: [],
  });
  return {
    ...{ listing, table, rules, newestNs, rootBody },
    ...{ fileSystems: fileSystems ?? [], nodes: nodes.kept, isWhole: nodes.areThere, isRemembered: true },
    ...accessOf(base),
  };
}
