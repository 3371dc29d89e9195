import { engineError } from '../engine/index.ts';
import { since1970, systemSeams } from '../store/index.ts';
import { findConfig, type LoadedConfig } from './config/load.ts';
import type { Context } from './context.ts';
import type { GlobalOptions } from './program/index.ts';
import { createOutput } from './render/output.ts';
import { progressView } from './render/progress.ts';
import type { RunOptions } from './run-options.ts';
import { openTerminal } from './settings/terminal.ts';
import { listenForSignals } from './signals.ts';

/** A context and what must be let go of when the command has ended. */
export interface OpenedContext {
  readonly context: Context;
  close(): void;
}

/** What a command gets, from the options that all commands share and the world of the run. */
export function openContext(global: GlobalOptions, world: RunOptions & { version: string }): OpenedContext {
  const seams = since1970(world.seams ?? systemSeams);
  const signals = listenForSignals();
  const framesPerSecond = Number(world.env['STILLPOINT_PROGRESS_FPS']);
  const progress = progressView({
    stream: world.stderr,
    clock: seams.clock,
    framesPerSecond: framesPerSecond > 0 ? framesPerSecond : undefined,
    enabled: !global.quiet && !global.json,
  });
  const output = createOutput({
    json: global.json ?? false,
    quiet: global.quiet ?? false,
    verbose: global.verbose ?? false,
    stdout: world.stdout,
    stderr: world.stderr,
    beforeMessage: progress.clear,
  });
  const file = global.config === true ? undefined : global.config;
  if (file === '') {
    throw engineError('USAGE', 'Cannot read a configuration: --config is empty', {
      remedy: 'Give the path of a file.',
    });
  }
  let loaded: { readonly config: LoadedConfig | undefined } | undefined;
  const config = () => {
    loaded ??= { config: findConfig({ file, env: world.env, cwd: world.cwd }) };
    return loaded.config;
  };
  const requireConfig = () => {
    const found = config();
    if (found) return found;
    throw engineError('CONFIG_INVALID', 'Cannot find a configuration', {
      remedy:
        'Write stillpoint.yaml here or ~/.config/stillpoint/config.yaml, or name a file with --config or STILLPOINT_CONFIG.',
    });
  };
  const { env, cwd, version, backupSeams, doctorSeams, kdf } = world;
  const { signal } = signals;
  // Messages go to stderr: where nobody sees them nobody can be asked.
  const terminal = world.terminal ?? (world.stderr.isTTY ? openTerminal() : undefined);
  const storeOption = global.store;
  return {
    context: {
      env,
      cwd,
      version,
      terminal,
      kdf,
      backupSeams,
      doctorSeams,
      seams,
      signal,
      nextSignal: signals.next,
      storeOption,
      progress,
      output,
      config,
      requireConfig,
    },
    close() {
      progress.stop();
      signals.close();
    },
  };
}
