import { type Context, keyOf } from './definitions.ts';
import { firstUserOid } from './sql.ts';

interface EventTriggerRow {
  readonly oid: string;
  readonly name: string;
  readonly event: string;
  readonly tags: string | null;
  readonly called: string;
  readonly state: 'O' | 'A' | 'R' | 'D';
  readonly owner: string;
  readonly comment: string | null;
}

const states = { O: null, A: 'ENABLE ALWAYS', R: 'ENABLE REPLICA', D: 'DISABLE' } as const;

/** Event triggers with all that is said of them: they see what is done after them, so nothing is. */
export async function readEventTriggers({ select, definitions, members }: Context): Promise<void> {
  const rows = await select<EventTriggerRow>(
    `SELECT e.oid, pg_catalog.quote_ident(e.evtname) AS name, e.evtevent AS event, e.evtenabled AS state,
       (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(tag), ', ' ORDER BY nr)
         FROM pg_catalog.unnest(e.evttags) WITH ORDINALITY AS u(tag, nr)) AS tags,
       e.evtfoid::pg_catalog.regproc::text AS called, pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(e.evtowner)) AS owner,
       pg_catalog.quote_literal(pg_catalog.obj_description(e.oid, 'pg_event_trigger')) AS comment
     FROM pg_catalog.pg_event_trigger e WHERE e.oid >= ${firstUserOid}`,
  );
  for (const { oid, name, event, tags, called, state, owner, comment } of rows) {
    const key = keyOf('pg_event_trigger', oid);
    if (members.has(key)) continue;
    const when = tags === null ? '' : ` WHEN TAG IN (${tags})`;
    const change = states[state];
    const label = `EVENT TRIGGER ${name}`;
    const statements = [
      `CREATE ${label} ON ${event}${when} EXECUTE FUNCTION ${called}()`,
      ...(change === null ? [] : [`ALTER ${label} ${change}`]),
      ...(comment === null ? [] : [`COMMENT ON ${label} IS ${comment}`]),
    ];
    definitions.add({ kind: 'event trigger', name, statements }, key);
    definitions.add({
      kind: 'owner of an event trigger',
      name,
      statements: [`ALTER ${label} OWNER TO ${owner}`],
      after: [key],
    });
  }
}
