import { type CommandDescription, narrowing, ofStores, theSnapshot } from '../describe.ts';

/** Commands that decide how long snapshots stay. */
export const keeping: readonly CommandDescription[] = [
  {
    name: 'forget',
    arguments: [{ name: 'snapshots', text: 'which snapshots, named as everywhere', isRepeatable: true }],
    summary: 'drop snapshots; prune frees their space',
    text: ['Refuses a snapshot that is on hold.'],
    options: narrowing,
    exitCodes: ofStores,
    examples: [
      { line: 'stillpoint forget 5d41 9a0c', text: 'these two' },
      { line: 'stillpoint forget latest --tag trial', text: 'the newest of those with a tag' },
    ],
    load: async () => (await import('../../commands/forget.ts')).forget,
  },
  {
    name: 'hold',
    arguments: [theSnapshot],
    summary: 'keep a snapshot from every policy',
    options: [...narrowing, { flags: '--release', text: 'no longer' }],
    exitCodes: ofStores,
    examples: [
      { line: 'stillpoint hold latest', text: 'before an upgrade' },
      { line: 'stillpoint hold 5d41 --release', text: 'the policies decide again' },
    ],
    load: async () => (await import('../../commands/hold.ts')).hold,
  },
  {
    name: 'prune',
    summary: 'forget what the policy does not keep, and free space',
    text: [
      'The policy is that of the options, else `retention` of the configuration; without either nothing is forgotten, and only space is freed. Each rule keeps what it keeps; a snapshot goes when none does. The newest, and the newest proven, verified and drilled one, are always kept.',
      'Backups and restores may run beside it: neither waits for the other.',
    ],
    options: [
      { flags: '--dry-run', text: 'say what would be forgotten and freed; lock and write nothing' },
      { flags: '--allow-empty', text: 'free everything where every snapshot was forgotten' },
      { flags: '--keep-last <count>', text: 'keep the newest so many' },
      {
        flags: '--keep-hourly <count>',
        text: 'keep the last of each of the newest so many hours that have one',
      },
      { flags: '--keep-daily <count>', text: 'likewise of days' },
      { flags: '--keep-weekly <count>', text: 'likewise of weeks' },
      { flags: '--keep-monthly <count>', text: 'likewise of months' },
      { flags: '--keep-yearly <count>', text: 'likewise of years' },
      {
        flags: '--keep-within <duration>',
        text: 'keep all that are at most so much older than the newest',
      },
      { flags: '--keep-tag <tag>', text: 'keep all with this tag; may be repeated', isRepeatable: true },
      { flags: '--instance <name>', text: 'decide about the snapshots of this instance only' },
      {
        flags: '--max-duration <duration>',
        text: 'stop well after so long, like 30m; the next prune goes on',
      },
      { flags: '--wait <duration>', text: 'wait so long for another prune to end' },
    ],
    exitCodes: [...ofStores, 'locked'],
    examples: [
      { line: 'stillpoint prune --dry-run', text: 'what the configured policy would do, and why' },
      { line: 'stillpoint prune --keep-daily 30 --keep-monthly 12', text: 'another policy, this once' },
      { line: 'stillpoint prune --max-duration 30m', text: 'do it, as far as half an hour suffices' },
      { line: 'stillpoint prune --instance old --keep-last 1', text: 'of another instance in the store' },
    ],
    load: async () => (await import('../../commands/prune.ts')).prune,
  },
];
