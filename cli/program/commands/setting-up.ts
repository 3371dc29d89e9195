import type { CommandDescription } from '../describe.ts';

/** Commands that set things up, and say whether they will do. */
export const settingUp: readonly CommandDescription[] = [
  {
    name: 'config',
    summary: 'print an example of a configuration, or check the one that would be used',
    text: [
      'Without an option: an example with every key, its meaning and its default. The configuration is that of --config, else of STILLPOINT_CONFIG, else ./stillpoint.yaml, else ~/.config/stillpoint/config.yaml.',
    ],
    options: [
      {
        flags: '--write <file>',
        text: 'write the example into a new file that only its owner may read; overwrites nothing',
      },
      {
        flags: '--check',
        text: 'check the configuration that would be used; print which file it is and its values, without secrets',
      },
      { flags: '--schema', text: 'print the JSON Schema of a configuration, for editors' },
    ],
    examples: [
      { line: 'stillpoint config', text: 'the example' },
      { line: 'stillpoint config --write stillpoint.yaml', text: 'a file to begin with' },
      { line: 'stillpoint config --check', text: 'what would be used here' },
      {
        line: 'stillpoint config --check --config /etc/stillpoint/config.yaml --json',
        text: 'another one, for a script',
      },
    ],
    load: async () => (await import('../../commands/config.ts')).config,
  },
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
  {
    name: 'completion',
    arguments: [{ name: 'shell', text: 'which shell', choices: ['bash', 'zsh', 'fish'] }],
    summary: 'print a script that completes commands and options in a shell',
    examples: [
      {
        line: 'stillpoint completion bash > /etc/bash_completion.d/stillpoint',
        text: 'for everybody who uses bash here',
      },
      { line: 'source <(stillpoint completion zsh)', text: 'for this zsh' },
      { line: 'stillpoint completion fish | source', text: 'for this fish' },
    ],
    load: async () => (await import('../../commands/completion.ts')).completion,
  },
];
