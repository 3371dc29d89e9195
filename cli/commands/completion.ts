import { bashCompletion } from '../completion/bash.ts';
import { fishCompletion } from '../completion/fish.ts';
import { zshCompletion } from '../completion/zsh.ts';
import type { Command } from '../context.ts';

interface CompletionOptions {
  readonly shell: 'bash' | 'zsh' | 'fish';
}

/** Prints a script that completes commands, options and their values. */
export const completion: Command<CompletionOptions> = async (context, { shell }) => {
  const script = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }[shell]();
  context.output.result({ shell, script }, script);
  return 0;
};
