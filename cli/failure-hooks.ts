import { dirname } from 'node:path';
import { runFailureHooks } from '../engine/index.ts';
import type { Context } from './context.ts';
import { explain } from './report.ts';
import { commandsOf, instanceOf } from './settings/backup.ts';

/**
 * Runs a command, and hooks.onFailure when it fails: told what a person is told. Their own failures are warnings, and hide
 * nothing; a signal that comes while they run ends them. What is wrong with the configuration itself comes before them: nobody knows them then.
 */
export async function withFailureHooks<T>(context: Context, body: () => Promise<T>): Promise<T> {
  const { values, file } = context.requireConfig();
  const commands = commandsOf(values.hooks.onFailure);
  if (commands.length === 0) return body();
  try {
    return await body();
  } catch (thrown) {
    const place = {
      instance: instanceOf(values),
      home: values.home?.path ?? null,
      databaseUrl: values.database?.url ?? null,
      folder: dirname(file),
    };
    const error = explain(thrown, context.signal);
    const wasTold = context.signal.aborted;
    const signal = context.nextSignal();
    try {
      const failures = await runFailureHooks(commands, { place, error, clock: context.seams.clock, signal });
      for (const { message } of failures) context.output.warning(message);
    } catch (reason) {
      if (!signal.aborted) throw reason;
      context.output.warning('Told to end: the hooks of onFailure were ended before they were done');
      // The interruption is what is said last, and this is why they ran.
      if (!wasTold) context.output.warning(error.message);
    }
    throw thrown;
  }
}
