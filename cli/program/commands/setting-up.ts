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
    text: [
      'Looks at everything before it is needed: configuration and secrets, state and cache folders, store, home, database and its server, application, clocks, the machine, units of systemd, and what dead runs left. It locks nothing, and writes nothing without --mend; where something fails it ends with 1, and with 0 where there are only warnings.',
    ],
    options: [
      {
        flags: '--mend',
        text: 'mend what can be mended safely: modes of files with secrets, missing folders, what dead runs left',
      },
    ],
    examples: [
      { line: 'stillpoint doctor', text: 'before the first backup, and after every change' },
      { line: 'stillpoint doctor --mend', text: 'the same, and mend' },
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
