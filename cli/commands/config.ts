import { closeSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { engineError } from '../../engine/index.ts';
import { exampleConfig } from '../config/example.ts';
import { configJsonSchema } from '../config/json-schema.ts';
import { refuseUnbuilt } from '../config/unbuilt.ts';
import type { Command, Context } from '../context.ts';
import { storePlace } from '../open-store.ts';
import { configurationText } from '../render/configuration.ts';
import { instanceOf, refuseWrongDatabase, withoutSecrets } from '../settings/backup.ts';

interface ConfigOptions {
  readonly write?: string;
  readonly check?: true;
  readonly schema?: true;
}

/** Prints an example, writes it into a file, or checks the configuration that would be used. */
export const config: Command<ConfigOptions> = async (context, options) => {
  if ([options.write, options.check, options.schema].filter(wish => wish !== undefined).length > 1) {
    throw engineError('USAGE', 'Cannot tell what to do: --write, --check and --schema exclude each other', {
      remedy: 'Give one of them.',
    });
  }
  if (options.check) return check(context);
  if (options.write !== undefined) return write(context, options.write);
  if (options.schema) {
    const schema = configJsonSchema();
    context.output.result(schema, JSON.stringify(schema, null, 2));
    return 0;
  }
  const example = exampleConfig();
  context.output.result({ example }, example);
  return 0;
};

/** What would be used, each value with its default, no secret among them. */
function check(context: Context): number {
  const { file, values } = context.requireConfig();
  refuseUnbuilt(values, file);
  refuseWrongDatabase(values, file);
  const own = JSON.parse(withoutSecrets(values)) as Record<string, unknown>;
  const isOverridden = context.storeOption !== undefined || context.env['STILLPOINT_STORE'];
  const configuration = isOverridden ? { ...own, store: storePlace(context) } : own;
  const instance = instanceOf(values);
  context.output.result(
    { ok: true, file, instance, configuration },
    `# ${file}\n${configurationText({ instance, ...configuration })}`,
  );
  return 0;
}

function write(context: Context, name: string): number {
  if (name === '') {
    throw engineError('USAGE', 'Cannot write the example: --write is empty', {
      remedy: 'Give the path of a file.',
    });
  }
  const file = resolve(context.cwd, name);
  const example = exampleConfig();
  const descriptor = create(file);
  try {
    writeFileSync(descriptor, example);
  } catch (cause) {
    unlinkSync(file); // half an example would be taken for a whole one
    throw notWritten(file, cause);
  } finally {
    closeSync(descriptor);
  }
  context.output.result(
    { messageType: 'summary', file },
    `Wrote ${file}. Set what is yours, then check it: stillpoint config --check --config ${name}`,
  );
  return 0;
}

/** Only for its owner: a password may come to stand in it. */
function create(file: string): number {
  try {
    return openSync(file, 'wx', 0o600);
  } catch (cause) {
    throw notWritten(file, cause);
  }
}

function notWritten(file: string, cause: unknown): Error {
  const { code, message } = cause as NodeJS.ErrnoException;
  const known: Partial<Record<string, [string, string]>> = {
    EEXIST: ['it is there already', 'Name a new file: none is ever overwritten.'],
    ENOENT: ['its folder is not there', 'Make the folder first.'],
    ENOTDIR: ['a part of its path is no folder', 'Name a file in a folder that is there.'],
    EACCES: ['this user may not write there', 'Name a file in a folder of yours, or run as its owner.'],
  };
  const [found, remedy] = known[code ?? ''] ?? [message, 'See to the medium, or name another file.'];
  const isMedium = known[code ?? ''] === undefined;
  return engineError(isMedium ? 'TARGET_FAILED' : 'USAGE', `Cannot write ${file}: ${found}`, {
    remedy,
    cause,
  });
}
