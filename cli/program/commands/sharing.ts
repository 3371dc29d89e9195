import { type CommandDescription, ofStores } from '../describe.ts';

/** Commands that decide who may open a store. */
export const sharing: readonly CommandDescription[] = [
  {
    name: 'keys',
    arguments: [
      { name: 'action', text: 'what to do', choices: ['list', 'add', 'remove', 'rotate'] },
      { name: 'slot', text: 'remove: the id of a slot, its beginning, or its label', isOptional: true },
    ],
    summary: 'list and change the passphrases that open the store',
    text: [
      '`list` shows every key slot, the epochs and the hosts. `add` lets another passphrase open the store. `remove` deletes a slot; that does not revoke, since whoever opened it may have kept the key that it wraps. `rotate` makes a new one and a new epoch: what is written from then on cannot be read with the old; what was written before still can.',
      'The store is opened with the passphrase that is used everywhere. A new one is never taken from the command line: it comes from an option or variable whose name has `new-passphrase` in it, or is asked for, twice, at the terminal. `rotate` goes on with the passphrase at hand, unless a new one is given. It can wrap the new key only with passphrases that it is given, so other slots need --keep-passphrase-file or --drop-others.',
      '`add --write-only` lets a host write that can read nothing: it makes a key file, which takes the place of a passphrase there; `remove --host` ends that. After it, as after `rotate`, the other hosts need new key files: `add --write-only --renew`.',
    ],
    options: [
      { flags: '--label <text>', text: 'add: names the slot; readable without the passphrase' },
      { flags: '--new-passphrase-file <file>', text: 'add, rotate: the new passphrase is its first line' },
      {
        flags: '--new-passphrase-command <command>',
        text: 'add, rotate: a command for /bin/sh that prints the new passphrase',
      },
      {
        flags: '--keep-passphrase-file <file>',
        text: 'rotate: the passphrase of another slot that shall go on opening the store; may be repeated',
        isRepeatable: true,
      },
      { flags: '--drop-others', text: 'rotate: other slots may lose access' },
      {
        flags: '--passphrase',
        text: 'rotate: change only the passphrase of the slot that this run opened; the key that it wraps stays',
      },
      { flags: '--write-only', text: 'add: the key file of a host that may write and not read' },
      { flags: '--name <host>', text: 'add: what that host is called in its snapshots' },
      { flags: '-o, --output <file>', text: 'add: the new key file; nothing is overwritten' },
      {
        flags: '--renew <file>',
        text: 'add: the key file of a host that is to be made anew, after the keys changed',
      },
      { flags: '--host <name>', text: 'remove: the write-only host that is dismissed' },
    ],
    exitCodes: [...ofStores, 'locked'],
    examples: [
      { line: 'stillpoint keys list', text: 'who can open the store' },
      {
        line: 'stillpoint keys add --label safe --new-passphrase-file /mnt/safe/passphrase',
        text: 'a second passphrase',
      },
      { line: 'stillpoint keys remove safe', text: 'no longer' },
      {
        line: 'stillpoint keys add --write-only --name bitbucket1 -o bitbucket1.key',
        text: 'a host that may write and not read',
      },
      {
        line: 'stillpoint keys rotate --new-passphrase-file /etc/stillpoint/new --drop-others',
        text: 'after a passphrase became known to who should not have it',
      },
    ],
    load: async () => (await import('../../commands/keys.ts')).keys,
  },
];
