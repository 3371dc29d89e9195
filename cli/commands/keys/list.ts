import { printableText } from '../../../engine/index.ts';
import { type Kdf, type KeySlot, type KeysReport, readKeys } from '../../../store/index.ts';
import type { Command } from '../../context.ts';
import { exitCodes } from '../../exit-codes.ts';
import { openConfiguredStore } from '../../open-store.ts';
import { localTime, size, utcTime } from '../../render/quantities.ts';
import { table } from '../../render/table.ts';

/** Slots, ring, epochs and hosts. A damaged slot does not hide the others. */
export const listSlots: Command<object> = async context => {
  await using store = await openConfiguredStore(context);
  const report = await readKeys(store, { signal: context.signal });
  context.output.result(toJson(report), toText(report));
  if (!context.output.json)
    for (const { id, code, message } of report.problems)
      context.output.warning(code === 'STORE_DAMAGED' ? `${message}. ${adviceOn(id)}` : message);
  return report.problems.some(({ code }) => code === 'STORE_DAMAGED') ? exitCodes.damaged : exitCodes.done;
};

const adviceOn = (id: string): string =>
  `Bring the file back from a copy of keys/, or take the slot away: \`stillpoint keys remove ${id.slice(0, 8)}\``;

export function slotJson(slot: KeySlot): Record<string, unknown> {
  const { id, label, kdf, createdMs, ringKeyNumber, isInUse, isOpener, isRemoved } = slot;
  return {
    id,
    label,
    kdf,
    createdAt: utcTime(createdMs),
    ringKey: ringKeyNumber,
    inUse: isInUse,
    openedThisRun: isOpener,
    removed: isRemoved,
  };
}

function toJson({
  ringNumber,
  ringKeyNumber,
  epochs,
  hosts,
  slots,
  problems,
}: KeysReport): Record<string, unknown> {
  return {
    ring: { number: ringNumber, ringKey: ringKeyNumber },
    epochs: epochs.map(({ number, createdMs }) => ({ number, createdAt: utcTime(createdMs) })),
    slots: slots.map(slotJson),
    hosts: hosts.map(({ createdMs, untilEpoch, isToRenew, ...host }) => ({
      ...host,
      untilEpoch: untilEpoch ?? null,
      dismissed: untilEpoch !== undefined,
      toRenew: isToRenew,
      createdAt: utcTime(createdMs),
    })),
    problems,
  };
}

function toText(report: KeysReport): string {
  const { ringNumber, ringKeyNumber, epochs, hosts, slots } = report;
  const newest = epochs.at(-1)!;
  const parts = [
    `Ring ${ringNumber}, under ring key ${ringKeyNumber}. What is written now is of epoch ${newest.number}.`,
    table(
      ['slot', 'label', 'key derivation', 'made', ''],
      slots.map(slot => [
        slot.id.slice(0, 8),
        printableText(slot.label),
        kdfText(slot.kdf),
        localTime(slot.createdMs),
        stateOf(slot),
      ]),
    ),
    table(
      ['epoch', 'since'],
      epochs.map(({ number, createdMs }) => [String(number), localTime(createdMs)]),
    ),
  ];
  if (hosts.length > 0) {
    const rows = hosts.map(({ name, fingerprint, fromEpoch, untilEpoch, createdMs, isToRenew }) => [
      printableText(name),
      fingerprint,
      untilEpoch === undefined ? `from ${fromEpoch}` : `${fromEpoch} to ${untilEpoch}, dismissed`,
      localTime(createdMs),
      isToRenew ? 'to renew: its key file is older than the newest epoch' : '',
    ]);
    parts.push(table(['write-only host', 'public key', 'epochs', 'made', ''], rows));
  }
  return parts.join('\n\n');
}

function stateOf({ isInUse, isOpener, isRemoved, ringKeyNumber }: KeySlot): string {
  if (isRemoved) return 'being removed: run the removal again';
  if (isOpener) return 'opened this run';
  return isInUse ? '' : `of ring key ${ringKeyNumber}: opens nothing now`;
}

function kdfText(kdf: Kdf): string {
  const { lanes = 1 } = kdf;
  const work =
    kdf.type === 'argon2id'
      ? `argon2id, ${size(kdf.memoryKiB * 1024)}, ${kdf.passes} passes`
      : `scrypt, ${size(128 * kdf.cost * kdf.blockSize)}, N ${kdf.cost}, r ${kdf.blockSize}`;
  return lanes === 1 ? work : `${work}, ${lanes} lanes`;
}
