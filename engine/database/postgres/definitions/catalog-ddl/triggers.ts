import { type Context, keyOf } from './definitions.ts';
import { type Flag, present } from './query.ts';
import type { Relations } from './relations.ts';
import { firstUserOid, joinUserRelation } from './sql.ts';

/** When a trigger or a rule fires: always but on a replica, always, on a replica only, never. */
type State = 'O' | 'A' | 'R' | 'D';

const stateClauses = { A: 'ENABLE ALWAYS', R: 'ENABLE REPLICA', D: 'DISABLE' } as const;

interface TriggerRow {
  readonly oid: string;
  readonly name: string;
  readonly relation: string;
  readonly definition: string | null;
  readonly state: State;
  readonly is_internal: Flag;
  /** The trigger of the partitioned table that this is a copy of; 0: none. */
  readonly parent: string;
}

/** Triggers and whether they fire. A partition's copies come with the whole's trigger, but each may be disabled. */
export async function readTriggers({ select, definitions }: Context, relations: Relations): Promise<void> {
  const rows = await select<TriggerRow>(
    `SELECT t.oid, pg_catalog.quote_ident(t.tgname) AS name, t.tgrelid AS relation, t.tgenabled AS state,
       CASE WHEN NOT t.tgisinternal AND t.tgparentid = 0 THEN pg_catalog.pg_get_triggerdef(t.oid) END AS definition, t.tgisinternal AS is_internal, t.tgparentid AS parent
     FROM pg_catalog.pg_trigger t ${joinUserRelation('t.tgrelid')} WHERE t.oid >= ${firstUserOid}`,
  );
  const byOid = new Map(rows.map(row => [row.oid, row]));
  for (const row of rows) {
    const table = relations.get(row.relation);
    if (!table) continue; // of a kind that is refused
    const key = keyOf('pg_trigger', row.oid);
    const root = rootOf(row, byOid);
    if (root?.is_internal !== 'f') {
      // Made by its constraint, under a name that another server does not give: nothing can switch it off there.
      if (row.state !== 'O')
        definitions.refuse(key, `disabled trigger of a constraint of table ${table.name}`);
      continue;
    }
    definitions.labels.set(key, `TRIGGER ${row.name} ON ${table.name}`);
    const isCopy = row.parent !== '0';
    const name = `${table.name} ${row.name}`;
    const state =
      row.state === 'O'
        ? []
        : [`ALTER TABLE ONLY ${table.name} ${stateClauses[row.state]} TRIGGER ${row.name}`];
    const after = [keyOf('pg_trigger', root.oid)];
    if (isCopy) definitions.add({ kind: 'trigger', name, statements: state, after }, key);
    else definitions.add({ kind: 'trigger', name, statements: [present(row.definition), ...state] }, key);
  }
}

/** Before 15 a partition's copy passes for internal; the trigger that it was copied from does not. */
function rootOf(row: TriggerRow, byOid: ReadonlyMap<string, TriggerRow>): TriggerRow | undefined {
  let root: TriggerRow | undefined = row;
  while (root && root.parent !== '0') root = byOid.get(root.parent);
  return root;
}

interface RuleRow {
  readonly oid: string;
  readonly name: string;
  readonly relation: string;
  readonly definition: string | null;
  readonly state: State;
  readonly is_view: Flag;
}

/** Rules; that of a view is the view. */
export async function readRules({ select, definitions }: Context, relations: Relations): Promise<void> {
  const rows = await select<RuleRow>(
    `SELECT r.oid, pg_catalog.quote_ident(r.rulename) AS name, r.ev_class AS relation, r.ev_enabled AS state,
       pg_catalog.pg_get_ruledef(r.oid) AS definition, r.rulename = '_RETURN' AS is_view
     FROM pg_catalog.pg_rewrite r ${joinUserRelation('r.ev_class')} WHERE r.oid >= ${firstUserOid}`,
  );
  for (const { oid, name, relation, definition, state, is_view } of rows) {
    const table = relations.get(relation);
    if (!table) continue; // of a kind that is refused
    const key = keyOf('pg_rewrite', oid);
    definitions.labels.set(key, `RULE ${name} ON ${table.name}`);
    const statements = [
      ...(is_view === 't' ? [] : [present(definition).trimEnd().replace(/;$/, '')]),
      ...(state === 'O' ? [] : [`ALTER TABLE ${table.name} ${stateClauses[state]} RULE ${name}`]),
    ];
    const item = { kind: 'rule', name: `${table.name} ${name}`, statements, after: [table.key] } as const;
    if (is_view === 'f') definitions.add(item, key);
    else if (statements.length > 0) definitions.add(item);
  }
}
