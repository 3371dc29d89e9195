import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ProcessRig, wrongHome } from './process-rig.ts';
import { filesBelow } from './suite.ts';

/** A run of the program, what it finds, and what is to be seen after it died or failed. */
export interface ProcessCommand {
  readonly name: 'backup' | 'prune' | 'restore' | 'repair';
  readonly args: readonly string[];
  /** The rig as the run finds it. */
  prepare(): Promise<void>;
  /** The same run once more ends well; what is wrong after it beside the store, which the rig judges. */
  wrongAfter(): Promise<string | undefined>;
}

/** Commands that change something, each on the same store. */
export function commandsOf(rig: ProcessRig): readonly ProcessCommand[] {
  const target = join(rig.folder, 'restored');
  const plain = { prepare: async () => rig.reset(), wrongAfter: async () => undefined };
  const mending = { prepare: async () => breakStore(rig), wrongAfter: () => wrongAfterRepair(rig) };
  const restore = ['restore', 'latest', '--only', 'home', '--home', target, '--json'];
  return [
    { name: 'backup', args: ['backup', '--json'], ...plain },
    { name: 'prune', args: ['prune', '--json'], ...plain },
    {
      name: 'restore',
      args: restore,
      async prepare() {
        rig.reset();
        await rig.here(['backup', '--json']);
      },
      wrongAfter: () => wrongAfterRestore(rig, { target, restore }),
    },
    { name: 'repair', args: ['repair', '--json'], ...mending },
  ];
}

/** The index is lost, and a frame of the largest pack, whose chunk the live home still has, is bad. */
function breakStore(rig: ProcessRig): void {
  rig.reset();
  const store = join(rig.folder, 'store');
  for (const name of readdirSync(join(store, 'index'))) rmSync(join(store, 'index', name));
  const packs = filesBelow(join(store, 'packs')).map(path => join(store, 'packs', path));
  const [largest] = packs.sort((one, other) => statSync(other).size - statSync(one).size);
  const bytes = readFileSync(largest!);
  bytes[bytes.length >> 1]! ^= 1;
  rmSync(largest!);
  writeFileSync(largest!, bytes, { mode: 0o600 });
}

/** However far it came: another repair makes everything whole. */
async function wrongAfterRepair(rig: ProcessRig): Promise<string | undefined> {
  const { code, stderr, stdout } = await rig.here(['repair', '--json']);
  return code === 0 ? undefined : `the next repair ended with ${code}: ${stderr}${stdout}`;
}

/** Without the mark of an unfinished one a restored home is whole; with it, or nothing there, the same command does it. */
async function wrongAfterRestore(
  rig: ProcessRig,
  { target, restore }: { readonly target: string; readonly restore: readonly string[] },
): Promise<string | undefined> {
  const again = await rig.here(restore);
  const isMarked = existsSync(join(target, '.stillpoint-restore-unfinished'));
  if (again.code !== 0 && !again.stderr.includes('TARGET_NOT_EMPTY'))
    return `the same restore again ended with ${again.code}: ${again.stderr}`;
  if (isMarked) return 'a restore that ended has left its mark';
  return wrongHome(rig.folder, target);
}
