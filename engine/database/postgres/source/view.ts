import { engineError } from '../../../errors.ts';
import { largeObjectDefinition, readDefinitions } from '../catalog/definition.ts';
import { fingerprintOf } from '../catalog/fingerprint.ts';
import { haveNamesChanged } from '../catalog/object-names.ts';
import type { Relation } from '../catalog/relations.ts';
import { listed } from '../catalog/rights.ts';
import type { LoadedBase } from '../changes/base.ts';
import { readSizes } from '../changes/sizes.ts';
import type { ViewedTable } from '../changes/table-state.ts';
import type { Connection } from '../connect/connection.ts';
import { inKeyOrder } from '../entries/entry-parts.ts';
import type { Pinned } from './pin.ts';

/** Tables with what decides, beside their blocks, how their rows read: in the order of keys. */
export async function viewTables(
  reader: Connection,
  view: {
    readonly relations: readonly Relation[];
    readonly fingerprint: Uint8Array;
    readonly encoding: string;
    readonly loaded: LoadedBase | undefined;
  },
): Promise<ViewedTable[]> {
  const definitions = await definitionsOf(reader, view);
  const sizes = await readSizes(reader, inKeyOrder(view.relations), view.encoding);
  return sizes.map(sized => ({
    ...sized,
    definition:
      sized.relation.kind === 'large-objects'
        ? largeObjectDefinition
        : (definitions.get(sized.relation.oid) ?? new Uint8Array()),
  }));
}

/** Equal catalogs: those of the base. None for tables whose text may change while all of these stay equal. */
async function definitionsOf(
  reader: Connection,
  { loaded, fingerprint }: { readonly loaded: LoadedBase | undefined; readonly fingerprint: Uint8Array },
): Promise<ReadonlyMap<number, Uint8Array>> {
  if (loaded && Buffer.compare(loaded.record.catalogFingerprint, fingerprint) === 0)
    return new Map([...loaded.relations].map(([oid, { definition }]) => [oid, definition]));
  const definitions = await readDefinitions(reader, fingerprint);
  return new Map(
    [...definitions]
      .filter(([, definition]) => !definition.namesShared)
      .map(([oid, definition]) => [oid, definition.fingerprint]),
  );
}

const noCatalogs = new Uint8Array();

/**
 * The server writes a value by the definition of its type as it is now, whatever the view. So, after rows were read:
 * tables whose types are no longer what the view has, by name. No lock of ours keeps anybody from renaming a label.
 */
export async function tablesOfOtherTypes(
  connections: { readonly watch: Connection; readonly reader: Connection },
  view: {
    readonly pinned: Pinned;
    readonly fingerprintSql: string;
    /** What was read: where one has no definition, equal catalogs do not tell that nothing was renamed. */
    readonly tables: readonly Pick<ViewedTable, 'relation' | 'definition'>[];
  },
): Promise<readonly Relation[]> {
  const { watch, reader } = connections;
  const { pinned } = view;
  const isTold = view.tables.every(
    ({ relation, definition }) => definition.length > 0 || relation.kind === 'large-objects',
  );
  const [now] = await watch.script('compare definitions', [view.fingerprintSql]);
  if (isTold && Buffer.compare(fingerprintOf(now!), pinned.fingerprint) === 0) return [];
  const before = await readDefinitions(reader, noCatalogs);
  const after = await readDefinitions(watch, noCatalogs);
  const isRenamed =
    [...before.values()].some(one => one.namesObjects) && (await haveNamesChanged(reader, watch));
  return pinned.relations.filter(({ oid }) => {
    const definition = before.get(oid);
    const later = after.get(oid);
    if (!definition || !later) return false;
    return (
      (isRenamed && definition.namesObjects) ||
      Buffer.compare(definition.fingerprint, later.fingerprint) !== 0
    );
  });
}

export function typesChanged(tables: readonly Relation[]): Error {
  return engineError(
    'DATABASE_FAILED',
    `Cannot read the rows of ${listed(tables.map(one => `${one.schema}.${one.name}`))}: a type was changed, or something they name was renamed, meanwhile`,
    { remedy: 'Run it again when nobody changes definitions.' },
  );
}
