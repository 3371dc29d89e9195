import { checkApplication, checkNativeParts, checkTools, type Finding, failed } from '../../engine/index.ts';
import { backupSettings } from '../backup-settings.ts';
import type { Command, Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { openConfiguredStore } from '../open-store.ts';

/** Checks the set-up before it is needed: native parts, tools, the store, the application. */
export const doctor: Command<object> = async context => {
  const findings = [
    ...(await checkNativeParts(context.seams.clock)),
    ...(await checkTools()),
    await checkStore(context),
    await checkConfiguredApplication(context),
  ];
  const ok = findings.every(finding => finding.state !== 'failed');
  context.output.result({ ok, findings }, findings.map(describe).join('\n'));
  return ok ? exitCodes.done : exitCodes.failed;
};

async function checkStore(context: Context): Promise<Finding> {
  try {
    await using store = await openConfiguredStore(context);
    return { check: 'store', state: 'ok', found: `${store.location} opens with the passphrase` };
  } catch (error) {
    return failed('store', error);
  }
}

async function checkConfiguredApplication(context: Context): Promise<Finding> {
  try {
    const { app } = backupSettings(context);
    try {
      return await checkApplication(app, context.signal);
    } finally {
      await app.close();
    }
  } catch (error) {
    return failed('application', error);
  }
}

function describe({ check, state, found, remedy }: Finding): string {
  const mark = { ok: 'ok     ', warning: 'warning', failed: 'FAILED ' }[state];
  return `${mark}  ${check.padEnd(12)} ${found}${remedy ? `\n${' '.repeat(22)}${remedy}` : ''}`;
}
