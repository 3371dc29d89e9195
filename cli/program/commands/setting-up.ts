import type { CommandDescription } from '../describe.ts';

/** Commands that say whether what is set up will do. */
export const settingUp: readonly CommandDescription[] = [
  {
    name: 'doctor',
    summary: 'check the set-up and say how to mend it',
    text: ['Native parts, tools, the store and the application. It locks nothing and writes nothing.'],
    examples: [
      { line: 'stillpoint doctor', text: 'before the first backup, and after every change' },
      { line: 'stillpoint doctor --config /etc/stillpoint/config.yaml --json', text: 'for a script' },
    ],
    load: async () => (await import('../../commands/doctor.ts')).doctor,
  },
];
