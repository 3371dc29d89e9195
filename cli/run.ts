import { createRequire } from 'node:module';
import { CommanderError } from 'commander';
import { exitCodes } from './exit-codes.ts';
import type { OpenedContext } from './open-context.ts';
import { buildProgram, type GlobalOptions } from './program/index.ts';
import type { RunOptions } from './run-options.ts';

/**
 * Runs the program once and gives its exit code. Never throws and never ends the process. What only a command needs
 * is loaded when it runs, so that --help costs no more than the command line itself.
 */
export async function run(options: RunOptions): Promise<number> {
  const version = programVersion();
  let opened: OpenedContext | undefined;
  const contextFor = async (global: GlobalOptions) => {
    const { openContext } = await import('./open-context.ts');
    opened = openContext(global, { ...options, version });
    return opened.context;
  };
  try {
    return await buildProgram({ ...options, contextFor, version })(options.argv);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.done;
    if (error instanceof CommanderError && error.code === 'commander.help') return exitCodes.usage;
    const { report } = await import('./report.ts');
    return report(error, { opened, options });
  } finally {
    opened?.close();
  }
}

/** The version in package.json: the one place that names it. */
function programVersion(): string {
  const require = createRequire(import.meta.url);
  return (require('../../package.json') as { version: string }).version;
}
