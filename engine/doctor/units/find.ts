import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UnitFile } from './unit-file.ts';

/** Where systemd looks for units; one that comes first hides the others of its name. */
export const systemdFolders: readonly string[] = [
  '/etc/systemd/system',
  '/run/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
];

export interface FoundUnits {
  readonly services: readonly UnitFile[];
  /** Names of units that are started with a target. */
  readonly enabled: ReadonlySet<string>;
}

/** Services whose text names this program, with their drop-ins. A folder that is not there has none. */
export async function findUnits(folders: readonly string[]): Promise<FoundUnits> {
  const services = new Map<string, UnitFile>();
  const enabled = new Set<string>();
  for (const folder of folders) {
    for (const name of await namesIn(folder)) {
      if (/\.(wants|requires)$/.test(name)) {
        for (const wanted of await namesIn(join(folder, name))) enabled.add(wanted);
      } else if (name.endsWith('.service') && !services.has(name)) {
        const unit = await readUnit(name, { folder, folders });
        if (unit) services.set(name, unit);
      }
    }
  }
  return { services: [...services.values()], enabled };
}

async function readUnit(
  name: string,
  { folder, folders }: { readonly folder: string; readonly folders: readonly string[] },
): Promise<UnitFile | undefined> {
  const text = await readFile(join(folder, name), 'utf8').catch(() => undefined); // masked, or not for this user
  if (text === undefined || !runsProgram(text)) return undefined;
  const texts = [text];
  for (const place of folders) {
    const dropIns = (await namesIn(join(place, `${name}.d`))).filter(one => one.endsWith('.conf')).sort();
    for (const one of dropIns)
      texts.push(await readFile(join(place, `${name}.d`, one), 'utf8').catch(() => ''));
  }
  return new UnitFile(name, texts);
}

const runsProgram = (text: string): boolean =>
  /^\s*ExecStart\s*=.*stillpoint/m.test(text.replace(/\\\n/g, ' '));

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []); // no such folder
}
