import { type CommandDescription, ofStores } from '../describe.ts';

/** Commands that make a store and put snapshots into it, and what a dead one leaves behind. */
export const taking: readonly CommandDescription[] = [
  {
    name: 'init',
    summary: 'make a store',
    text: [
      'Makes it in an empty or absent folder, and refuses one that holds something. Keep the passphrase in a second place: without it nothing can be restored.',
    ],
    examples: [
      { line: 'stillpoint init', text: 'in the place that the configuration names' },
      {
        line: 'STILLPOINT_PASSPHRASE_FILE=/etc/stillpoint/passphrase stillpoint init --store /mnt/second/stillpoint',
        text: 'elsewhere, without a configuration',
      },
    ],
    load: async () => (await import('../../commands/init.ts')).init,
  },
  {
    name: 'backup',
    summary: 'take one paired snapshot',
    text: [
      'Builds on the newest snapshot of the instance: only what changed is read, held and stored. A run that fails leaves no snapshot and no lock.',
    ],
    options: [
      { flags: '--tag <tag>', text: 'mark the snapshot; may be repeated', isRepeatable: true },
      { flags: '--dry-run', text: 'say what would be read; lock and write nothing' },
      {
        flags: '--wait <duration>',
        text: 'wait so long for another run, or for somebody else’s lock, to end',
      },
      {
        flags: '--hold-until <moment>',
        text: 'unlock when the state is captured, or when all of it is durable',
        choices: ['captured', 'durable'],
        fallback: 'captured',
      },
      {
        flags: '--audit',
        text: 'read all rows again after the unlock and compare them with the store; where they differ the server’s are stored, and the exit code is 20',
      },
    ],
    exitCodes: [...ofStores, 'incomplete', 'locked', 'stillLocked'],
    examples: [
      { line: 'stillpoint backup', text: 'one snapshot, now' },
      { line: 'stillpoint backup --dry-run', text: 'what it would read and cost' },
      { line: 'stillpoint backup --wait 10m --json', text: 'from a scheduler, beside others' },
      {
        line: 'stillpoint backup --tag before-upgrade --hold-until durable',
        text: 'unlock only when everything is in the store',
      },
      { line: 'stillpoint backup --audit', text: 'one that also proves the rows of those before it' },
    ],
    load: async () => (await import('../../commands/backup.ts')).backup,
  },
  {
    name: 'cancel',
    summary: 'end the backup that runs on this host',
    text: [
      'Cancels it in the application, unlocks, and leaves no snapshot. A run that does not end when asked to is killed: its sentinel unlocks. Where nothing runs there is nothing to do, and that is no failure.',
    ],
    exitCodes: ['locked', 'stillLocked'],
    examples: [
      { line: 'stillpoint cancel', text: 'people wait: end it now' },
      {
        line: 'stillpoint cancel --config /etc/stillpoint/config.yaml --json',
        text: 'of another configuration, for a script',
      },
    ],
    load: async () => (await import('../../commands/cancel.ts')).cancel,
  },
  {
    name: 'unlock',
    summary: 'release the lock that a dead run left',
    text: [
      'From the token that the run wrote down before it locked, or from one that a person has. Refuses while the run is alive.',
    ],
    options: [{ flags: '--token-file <file>', text: 'a file with the unlock token; - for standard input' }],
    exitCodes: ['locked', 'stillLocked'],
    examples: [
      { line: 'stillpoint unlock', text: 'with what the dead run wrote down' },
      { line: 'stillpoint unlock --token-file -', text: 'with a token, typed or piped' },
    ],
    load: async () => (await import('../../commands/unlock.ts')).unlock,
  },
];
