import { dirname } from 'node:path';
import { runFailureHooks } from '../engine/index.ts';
import type { Context } from './context.ts';
import { explain } from './report.ts';
import { commandsOf, instanceOf } from './settings/backup.ts';

/**
 * Runs a command, and hooks.onFailure when it fails: told what a person is told. Their own failures are warnings, and hide
 * nothing. What is wrong with the configuration itself comes before them: nobody knows them then.
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
    const failures = await runFailureHooks(commands, { place, error, clock: context.seams.clock });
    for (const { message } of failures) context.output.warning(message);
    throw thrown;
  }
}
