import { resolve } from 'node:path';
import { engineError, printableText } from '../../../engine/index.ts';
import { changePassphrase, type Rotated, readKeys, rotateKeys } from '../../../store/index.ts';
import type { Command, Context } from '../../context.ts';
import { openConfiguredStore } from '../../open-store.ts';
import {
  hasNewPassphrase,
  type NewPassphraseOptions,
  readNewPassphrase,
  readSecretFile,
} from '../../settings/secrets.ts';
import { slotJson } from './list.ts';

export interface RotateOptions extends NewPassphraseOptions {
  readonly passphrase?: true;
  readonly keepPassphraseFile?: readonly string[];
  readonly dropOthers?: true;
}

/** A new ring key and epoch; or, with --passphrase, only another passphrase for the slot of the one at hand. */
export const rotate: Command<RotateOptions> = async (context, options) => {
  const { keepPassphraseFile: files = [], dropOthers = false } = options;
  if (options.passphrase) return rotatePassphrase(context, options);
  const otherPassphrases = files.map(file =>
    readSecretFile(resolve(context.cwd, file), 'a passphrase to keep'),
  );
  await using store = await openConfiguredStore(context);
  const newPassphrase = hasNewPassphrase(context, options)
    ? await readNewPassphrase(context, options)
    : undefined;
  const rotated = await rotateKeys(store, {
    newPassphrase,
    otherPassphrases,
    dropsOthers: dropOthers,
    signal: context.signal,
  });
  const { hosts } = await readKeys(store);
  const renewing = hosts.filter(({ untilEpoch }) => untilEpoch === undefined).map(({ name }) => name);
  const isNewPassphrase = newPassphrase !== undefined;
  context.output.result(
    toJson(rotated, { renewing, isNewPassphrase }),
    toText(rotated, { renewing, isNewPassphrase }),
  );
  for (const name of rotated.left)
    context.output.warning(`${name} could not be deleted; it opens nothing that is written from now on.`);
  return 0;
};

async function rotatePassphrase(context: Context, options: RotateOptions): Promise<number> {
  if (options.dropOthers || (options.keepPassphraseFile ?? []).length > 0) {
    throw engineError('USAGE', 'Cannot change a passphrase: it leaves the other slots alone', {
      remedy: 'Leave out --drop-others and --keep-passphrase-file, or leave out --passphrase.',
    });
  }
  await using store = await openConfiguredStore(context);
  const passphrase = await readNewPassphrase(context, options);
  const slot = await changePassphrase(store, { passphrase, signal: context.signal });
  context.output.result(
    { messageType: 'summary', slot: slotJson(slot), revoked: false },
    `Slot ${slot.id.slice(0, 8)}${slot.label && ` (${printableText(slot.label)})`} has the new passphrase; the old one does not open it any more, only another slot, if one has it.
Set passphraseFile, or wherever programs take it from, to the new one. The ring key is the same: to keep what is written
from now on from somebody who knew the old passphrase, run \`stillpoint keys rotate\` as well.`,
  );
  return 0;
}

interface Told {
  /** Write-only hosts that need a new key file. */
  readonly renewing: readonly string[];
  readonly isNewPassphrase: boolean;
}

function toJson(rotated: Rotated, { renewing, isNewPassphrase }: Told): Record<string, unknown> {
  const { ringNumber, ringKeyNumber, epoch, made, dropped, left } = rotated;
  return {
    messageType: 'summary',
    ring: { number: ringNumber, ringKey: ringKeyNumber },
    epoch,
    slots: made.map(idOf),
    dropped: dropped.map(({ name, slot }) => ({ id: idOf(name), label: slot.label })),
    left: left.map(idOf),
    hostsToRenew: renewing,
    newPassphrase: isNewPassphrase,
  };
}

function toText({ epoch, made, dropped }: Rotated, { renewing, isNewPassphrase }: Told): string {
  const lines = [
    `Rotated: what is written from now on is of epoch ${epoch}, which the old ring key does not open. ${made.length === 1 ? 'One slot opens' : `${made.length} slots open`} the store.`,
    'Everything before stays readable, for whoever had the old ring key, too. Backups that run end under the old epoch.',
  ];
  if (isNewPassphrase)
    lines.push('Set passphraseFile, or wherever programs take it from, to the new passphrase.');
  for (const { name, slot } of dropped)
    lines.push(
      `Slot ${idOf(name).slice(0, 8)}${slot.label && ` (${printableText(slot.label)})`} opens the store no more.`,
    );
  if (renewing.length > 0)
    lines.push(
      `Except what these write-only hosts write: until each has a new key file (keys add --write-only --renew) it goes on under the old epoch, which the old ring key opens: ${renewing.join(', ')}.`,
    );
  return lines.join('\n');
}

function idOf(name: string): string {
  return name.slice('keys/'.length);
}
