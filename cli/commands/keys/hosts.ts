import { resolve } from 'node:path';
import { engineError, listSnapshots, printableText, writeOutputFile } from '../../../engine/index.ts';
import {
  dismissWriteOnlyHost,
  newWriteOnlyHost,
  renewWriteOnlyHost,
  type Store,
} from '../../../store/index.ts';
import type { Command, Context } from '../../context.ts';
import { openConfiguredStore } from '../../open-store.ts';
import { readWhole } from '../../settings/secrets.ts';

export interface HostOptions {
  readonly writeOnly?: true;
  readonly name?: string;
  readonly output?: string;
  readonly renew?: string;
}

/** Makes the key file of a host that may write and not read, and lists the host; or makes the file of a listed one anew. */
export const addHost: Command<HostOptions> = async (context, { name, output, renew }) => {
  if (output === undefined) throw usage('no file was named for it', 'Name a new one with -o.');
  if ((name === undefined) === (renew === undefined))
    throw usage(
      'neither or both of --name and --renew were given',
      'Give --name for a new host, or --renew with its file.',
    );
  const file = resolve(context.cwd, output);
  await using store = await openConfiguredStore(context);
  const isTaken = name !== undefined && (await isNameOfKeyHolder(store, name));
  const made = await (renew === undefined
    ? makeNew(context, store, { name: name!, file })
    : makeAnew(context, store, { from: resolve(context.cwd, renew), file }));
  if (isTaken)
    context.output.warning(
      `Snapshots that the passphrase wrote are of ${made}, too: unless it is that machine, dismiss it and choose another name; \`snapshots\` marks which of them a write-only host wrote`,
    );
  context.output.result(
    { messageType: 'summary', host: made, file, renewed: renew !== undefined, nameTaken: isTaken },
    [
      `The key of ${printableText(made)} is in ${file}: with it the host writes into this store, and reads nothing of it.`,
      'Bring it to the host, name it there as keyFile, and keep no other copy.',
    ].join('\n'),
  );
  return 0;
};

/** A machine may go on with a key file, under its name; another under that name would be taken for it. */
async function isNameOfKeyHolder(store: Store, name: string): Promise<boolean> {
  const found = await listSnapshots(store, { onDamage: () => undefined });
  return found.some(({ host, isWriteOnly }) => host === name && !isWriteOnly);
}

async function makeNew(
  { signal }: Context,
  store: Store,
  { name, file }: { readonly name: string; readonly file: string },
): Promise<string> {
  const { keyFile, list } = await newWriteOnlyHost(store, { name, signal });
  // The file first: a host that is listed and whose key nobody has is of no use to anybody.
  await writeKeyFile(file, keyFile);
  await list();
  return name;
}

async function makeAnew(
  { signal }: Context,
  store: Store,
  { from, file }: { readonly from: string; readonly file: string },
): Promise<string> {
  const old = readWhole(from, 'the key of the host');
  const { name, keyFile, list } = await renewWriteOnlyHost(store, { keyFile: old, file: from, signal });
  await writeKeyFile(file, keyFile);
  await list();
  return name;
}

/** Into a new file that only its owner may read, and read back. */
async function writeKeyFile(file: string, bytes: Uint8Array): Promise<void> {
  if ((await writeOutputFile(file, bytes, { overwrite: 'never', mode: 0o600 })) === 'exists')
    throw usage(`${file} is there already`, 'Name a file that is not there: nothing is overwritten.');
  if (Buffer.compare(readWhole(file, 'the key of the host'), bytes) === 0) return;
  throw engineError('TARGET_FAILED', `Cannot use ${file}: it does not read back as it was written`, {
    remedy: 'Look at the disk, and name a file elsewhere.',
  });
}

/** Ends a write-only host. */
export const dismissHost: Command<{ readonly host: string }> = async (context, { host }) => {
  await using store = await openConfiguredStore(context);
  const others = await dismissWriteOnlyHost(store, { name: host, signal: context.signal });
  const renew = others.map(name => `\n  ${printableText(name)}`).join('');
  context.output.result(
    { messageType: 'summary', dismissed: host, needNewKeyFiles: others },
    `${printableText(host)} is dismissed: what is written from now on is of a new epoch, for which it has no key.\n` +
      'Its old key still seals and signs for the epochs that it knew: take its access to the storage away, too.' +
      (others.length === 0
        ? ''
        : `\nThese hosts need a new key file (keys add --write-only --renew):${renew}`),
  );
  return 0;
};

function usage(state: string, remedy: string): Error {
  return engineError('USAGE', `Cannot make the key of a write-only host: ${state}`, { remedy });
}
