import { type CommandDescription, ofStores } from '../describe.ts';

/** Commands that decide who may open a store. */
export const sharing: readonly CommandDescription[] = [
  {
    name: 'keys',
    arguments: [{ name: 'action', text: 'what to do', choices: ['list', 'add'] }],
    summary: 'list and change the passphrases that open the store',
    text: [
      '`list` shows every key slot, the epochs and the hosts; `add` lets another passphrase open the store. The store is opened with the passphrase that is used everywhere; a new one is never taken from the command line, but from the options and variables whose name has `new-passphrase` in it, or is asked for twice at the terminal.',
    ],
    options: [
      { flags: '--label <text>', text: 'add: names the slot; readable without the passphrase' },
      { flags: '--new-passphrase-file <file>', text: 'add: the new passphrase is its first line' },
      {
        flags: '--new-passphrase-command <command>',
        text: 'add: a command for /bin/sh that prints the new passphrase',
      },
    ],
    exitCodes: [...ofStores, 'locked'],
    examples: [
      { line: 'stillpoint keys list', text: 'who can open the store' },
      {
        line: 'stillpoint keys add --label safe --new-passphrase-file /mnt/safe/passphrase',
        text: 'a second passphrase',
      },
    ],
    load: async () => (await import('../../commands/keys.ts')).keys,
  },
];
