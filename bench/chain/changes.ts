import {
  appendFileSync,
  chmodSync,
  closeSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import type { Instance } from '../instance/index.ts';
import type { Dice } from '../instance/random.ts';

/** The world that is changed between two backups. */
export interface World {
  readonly instance: Instance;
  readonly client: pg.Client;
  readonly dice: Dice;
}

/** How often each kind of change was made. */
export type Counts = Map<string, number>;

const attachments = 'shared/data/attachments';

/** Makes some changes of every kind, or, now and then, none at all; returns when nothing writes any more. */
export async function changeSomething(world: World, counts: Counts): Promise<void> {
  const { dice } = world;
  if (dice.chance(0.06)) return count(counts, 'nothing at all');
  for (let left = 1 + dice.below(12); left > 0; left -= 1) {
    const name = dice.pick(Object.keys(fileChanges));
    fileChanges[name]!(world);
    count(counts, name);
  }
  for (let left = dice.below(8); left > 0; left -= 1) await push(world, counts);
  for (let left = dice.below(10); left > 0; left -= 1) {
    const name = dice.pick(Object.keys(rowChanges));
    await world.client.query(rowChanges[name]!(dice));
    count(counts, name);
  }
}

function count(counts: Counts, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

async function push({ instance, dice }: World, counts: Counts): Promise<void> {
  const repositoryId = dice.pick(instance.repositoryIds);
  if (dice.chance(0.1)) {
    await instance.repack(repositoryId);
    return count(counts, 'repository repacked');
  }
  const ref = dice.chance(0.4) ? `refs/heads/feature/${dice.below(20)}` : 'refs/heads/main';
  await instance.push({ repositoryId, ref, also: dice.chance(0.4) ? ['activity', 'pull-request'] : [] });
  if (dice.chance(0.3)) await instance.push({ repositoryId, ref }); // within the same second, most of the time
  count(counts, 'ref pushed');
}

const fileChanges: Readonly<Record<string, (world: World) => void>> = {
  'file added'({ instance, dice }) {
    writeFileSync(join(attachmentFolder(instance, dice), newName(dice)), dice.bytes(sizeOf(dice)));
  },
  'file rewritten'(world) {
    withFile(world, path => writeFileSync(path, world.dice.bytes(sizeOf(world.dice))));
  },
  'file rewritten at the same size'(world) {
    withFile(world, path => writeFileSync(path, world.dice.bytes(lstatSync(path).size)));
  },
  'file grown'(world) {
    withFile(world, path => appendFileSync(path, world.dice.text(1 + world.dice.below(5_000))));
  },
  'file changed in the middle'(world) {
    withFile(world, path => {
      const { size } = lstatSync(path);
      const file = openSync(path, 'r+');
      writeSync(file, world.dice.bytes(64), 0, 64, world.dice.below(size + 1));
      closeSync(file);
    });
  },
  'file cut or made sparse'(world) {
    withFile(world, path => {
      const file = openSync(path, 'r+');
      ftruncateSync(file, world.dice.below(400_000));
      closeSync(file);
    });
  },
  'file removed'(world) {
    withFile(world, path => rmSync(path));
  },
  'file renamed'(world) {
    const { instance, dice } = world;
    withFile(world, path => renameSync(path, join(attachmentFolder(instance, dice), newName(dice))));
  },
  'file put in the place of another'(world) {
    withFile(world, from => withFile(world, to => renameSync(from, to)));
  },
  'folder renamed'({ instance, dice }) {
    const folder = attachmentFolder(instance, dice);
    if (!folder.endsWith(attachments)) renameSync(folder, `${folder}-${dice.below(1_000_000)}`);
  },
  'mode changed'(world) {
    withFile(world, path => chmodSync(path, world.dice.pick([0o600, 0o640, 0o644])));
  },
  'time set back'(world) {
    withFile(world, path => utimesSync(path, 1_500_000_000, 1_500_000_000));
  },
  'link made'({ instance, dice }) {
    symlinkSync(
      dice.pick(['../nowhere', 'a', '/etc/hosts']),
      join(attachmentFolder(instance, dice), newName(dice)),
    );
  },
};

function sizeOf(dice: Dice): number {
  return dice.chance(0.05) ? dice.below(3_000_000) : dice.below(20_000);
}

function newName(dice: Dice): string {
  return `changed ${dice.below(1_000_000)}`;
}

/** The folder of attachments, one below it, or a new one. */
function attachmentFolder({ home }: Instance, dice: Dice): string {
  const root = join(home, attachments);
  const folders = readdirSync(root, { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
  if (folders.length > 0 && dice.chance(0.6)) return join(root, dice.pick(folders));
  if (dice.chance(0.5)) return root;
  const made = join(root, `folder ${dice.below(1_000_000)}`);
  mkdirSync(made, { recursive: true });
  return made;
}

function withFile({ instance, dice }: World, change: (path: string) => void): void {
  const folder = attachmentFolder(instance, dice);
  const files = readdirSync(folder, { withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(({ name }) => name)
    .sort();
  if (files.length > 0) change(join(folder, dice.pick(files)));
}

/** A number for SQL, so that what is written does not depend on the server's own dice. */
const some = (dice: Dice, below: number): number => 1 + dice.below(below);

const rowChanges: Readonly<Record<string, (dice: Dice) => string>> = {
  'rows inserted': dice =>
    `INSERT INTO public.audit_entry (what, detail) SELECT 'chain ' || n, jsonb_build_object('n', n, 'at', ${some(dice, 1_000_000)})
     FROM generate_series(1, ${some(dice, 200)}) n`,
  'rows inserted into partitions': dice =>
    `INSERT INTO public.activity (repository_id, actor_id, kind, created_at)
     SELECT 1, 1, 'REVIEW', '2024-06-01'::timestamptz + n * interval '${some(dice, 90)} days' FROM generate_series(1, 20) n`,
  'rows updated': dice =>
    `UPDATE public.comment SET body = body || ' edited ${some(dice, 1_000_000)}' WHERE id % 97 = ${dice.below(97)}`,
  'every row updated': dice => `UPDATE public.app_user SET active = id % 3 <> ${dice.below(3)}`,
  'rows deleted': dice => `DELETE FROM public.audit_entry WHERE id % 53 = ${dice.below(53)}`,
  'deletion rolled back': () => 'BEGIN; DELETE FROM public.pull_request; ROLLBACK',
  'subtransaction rolled back': dice =>
    `BEGIN; UPDATE public.project SET name = 'Project ' || ${some(dice, 1_000_000)}; SAVEPOINT s;
     DELETE FROM public.comment; ROLLBACK TO s; COMMIT`,
  'large value written': dice =>
    `UPDATE public.app_user SET avatar = decode(repeat(md5('${some(dice, 1_000_000)}'), ${some(dice, 3_000)}), 'hex') WHERE id = ${some(dice, 50)}`,
  'large object made': dice =>
    `INSERT INTO public.attachment (repository_id, name, blob)
     VALUES (1, 'chain', lo_from_bytea(0, decode(repeat(md5('${some(dice, 1_000_000)}'), ${some(dice, 500)}), 'hex')))`,
  'large object rewritten': dice =>
    `SELECT lo_put(blob, 0, decode(md5('${some(dice, 1_000_000)}'), 'hex')) FROM public.attachment WHERE id = (SELECT min(id) FROM public.attachment)`,
  'table emptied and filled': dice =>
    `BEGIN; TRUNCATE analytics.sample;
     INSERT INTO analytics.sample SELECT k, '2026-01-01', ${some(dice, 1_000)} FROM unnest(enum_range(NULL::public.activity_kind)) k; COMMIT`,
  'table vacuumed': dice =>
    `VACUUM ${dice.pick(['', '(FREEZE) '])}${dice.pick(['public.audit_entry', 'public.comment'])}`,
  'table rewritten': dice => `VACUUM FULL ${dice.pick(['public.audit_entry', 'public.comment'])}`,
  'column added': dice =>
    `ALTER TABLE analytics.marker ADD COLUMN "c${some(dice, 1_000_000_000)}" text DEFAULT 'there'`,
  'table made': dice =>
    `CREATE TABLE analytics."t${some(dice, 1_000_000_000)}" AS SELECT n, md5(n::text) FROM generate_series(1, ${some(dice, 500)}) n`,
  'sequence moved': () => `SELECT nextval('public.build_number')`,
};
