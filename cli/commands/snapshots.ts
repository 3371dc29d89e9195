import { type FenceRecord, listSnapshots, printableText, type Snapshot } from '../../engine/index.ts';
import { type ClearPart, type Ledger, readHolds, readLedger, type Store } from '../../store/index.ts';
import type { Command, Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { openConfiguredStore } from '../open-store.ts';
import { count, duration, localTime, size, utcTime } from '../render/quantities.ts';
import { table } from '../render/table.ts';

interface SnapshotsOptions {
  readonly instance?: string;
  readonly tag?: string;
}

/** Lists the snapshots, newest last. One whose manifest cannot be read does not hide the others. */
export const snapshots: Command<SnapshotsOptions> = async (context, options) => {
  await using store = await openConfiguredStore(context);
  if (store.host !== undefined) return listClearParts(context, store);
  const damaged: { readonly id: string; readonly message: string }[] = [];
  const onDamage = (id: string, { message }: Error) => void damaged.push({ id, message });
  const found = await listSnapshots(store, { ...options, onDamage });
  const held = await readHolds(store, { signal: context.signal });
  const ledger = await readLedger(store, { signal: context.signal });
  context.output.result(
    { snapshots: found.map(snapshot => toJson(snapshot, { held, ledger })), damaged },
    found.length === 0 ? 'No snapshots.' : toTable(found, { held, ledger }),
  );
  if (damaged.length === 0) return exitCodes.done;
  if (!context.output.json) for (const { message } of damaged) context.output.warning(message);
  return exitCodes.damaged;
};

/** What a host can know that may write only; nothing of it is proven. */
async function listClearParts(context: Context, store: Store): Promise<number> {
  const parts: ClearPart[] = [];
  for await (const part of store.clearParts({ signal: context.signal })) parts.push(part);
  parts.sort((a, b) => Number(a.host > b.host) - Number(a.host < b.host) || a.sequence - b.sequence);
  const text = [
    parts.length === 0
      ? 'No snapshots.'
      : table(
          ['snapshot', 'host', 'number'],
          parts.map(({ id, host, sequence }) => [id.slice(0, 8), printableText(host), String(sequence)]),
        ),
    `The key of ${store.host} may write only: this is what manifests say in clear, and nothing of it is proven.`,
  ];
  const snapshots = parts.map(({ id, host, sequence, previous }) => ({ id, host, sequence, previous }));
  context.output.result({ snapshots, writeOnly: true }, text.join('\n'));
  return exitCodes.done;
}

interface Known {
  readonly held: ReadonlySet<string>;
  readonly ledger: Ledger;
}

function toJson(snapshot: Snapshot, { held, ledger }: Known): Record<string, unknown> {
  const verifiedMs = ledger.verifiedAtMs(snapshot.id);
  return {
    id: snapshot.id,
    instance: snapshot.instance,
    time: utcTime(snapshot.timeMs),
    tags: snapshot.tags,
    parent: snapshot.parent,
    fence: snapshot.fence.kind,
    latchHeldMs: snapshot.fence.heldMs,
    homeFiles: snapshot.home?.files ?? 0,
    homeBytes: snapshot.home?.bytes ?? 0,
    databaseRows: snapshot.database?.rows ?? 0,
    verifiedAt: verifiedMs === null ? null : utcTime(verifiedMs),
    held: held.has(snapshot.id),
    degradedOf: snapshot.degraded?.of ?? null,
    host: snapshot.host,
    writeOnly: snapshot.isWriteOnly ?? false,
  };
}

function heldFor({ kind, heldMs }: FenceRecord): string {
  if (kind === 'none') return 'not held';
  return kind === 'stopped' ? 'stopped' : duration(heldMs);
}

function verifiedAt({ id }: Snapshot, ledger: Ledger): string {
  const verifiedMs = ledger.verifiedAtMs(id);
  return verifiedMs === null ? '' : localTime(verifiedMs);
}

/** Of a host that may write only: it is that host's word until a key holder has verified it. */
function writeOnlyMark({ id }: Snapshot, ledger: Ledger): string {
  return ledger.verifiedAtMs(id) === null ? '(write-only host, unverified)' : '(write-only host)';
}

/** A host is a name and who vouches for it: one that may write only can take the name of another. */
export function toTable(found: readonly Snapshot[], { held, ledger }: Known): string {
  const hosts = new Set(found.map(({ host, isWriteOnly = false }) => `${isWriteOnly} ${host}`));
  const hasHosts = hosts.size > 1;
  return table(
    [
      'snapshot',
      'time',
      'instance',
      ...(hasHosts ? ['host'] : []),
      'files',
      'size',
      'rows',
      'held for',
      'verified',
      'tags',
    ],
    found.map(snapshot => [
      snapshot.id.slice(0, 8),
      localTime(snapshot.timeMs),
      printableText(snapshot.instance),
      ...(hasHosts ? [printableText(snapshot.host)] : []),
      count(snapshot.home?.files ?? 0),
      size((snapshot.home?.bytes ?? 0) + (snapshot.database?.bytes ?? 0)),
      count(snapshot.database?.rows ?? 0),
      heldFor(snapshot.fence),
      verifiedAt(snapshot, ledger),
      [
        ...snapshot.tags.map(printableText),
        ...(snapshot.isWriteOnly ? [writeOnlyMark(snapshot, ledger)] : []),
        ...(held.has(snapshot.id) ? ['(on hold)'] : []),
        ...(snapshot.degraded ? [`(what is left of ${snapshot.degraded.of.slice(0, 8)})`] : []),
      ].join(', '),
    ]),
  );
}
