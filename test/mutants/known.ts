import type { Mutant, Patch } from './mutant.ts';

function one(file: string, find: string, replace: string): readonly Patch[] {
  return [{ file, find, replace }];
}

/** Bugs of other backup programs, put into this one. Where each was seen stands beside it. */
export const knownMutants: readonly Mutant[] = [
  {
    // borg #9748, #9904
    name: 'index of an earlier generation',
    breaks: 'a backup trusts the index that the store was opened with, whatever was pruned since',
    patches: one(
      'store/store.js',
      "const loaded = await current.load({ purpose: 'write', signal });",
      'const loaded = await current.get();',
    ),
    caughtBy: ['test/store/prune/writer.test.js'],
  },
  {
    // borg #9853
    name: 'a store without room is an unreadable source',
    breaks:
      'an error of the store while a file is stored is taken for one of the file, and the backup goes on',
    patches: one(
      'engine/home/system/read.js',
      'if (!(error instanceof SourceFault))\n                throw error;',
      "if (!(error instanceof SourceFault))\n                return { kind: 'unreadable', error };",
    ),
    caughtBy: ['test/engine/home/capture/store-errors.test.js'],
  },
  {
    // restic #2715, #3126
    name: 'a sleeper commits',
    breaks: 'a run that others declared dead takes the name that they took for its own manifest',
    patches: one('store/commit.js', "answer === 'created' ||", "answer !== '' ||"),
    caughtBy: ['test/store/session.test.js'],
  },
  {
    // duplicacy forum 8985, 9500
    name: 'pack names come again',
    breaks: 'a pack is named by its host alone, so that the same contents have the same name again',
    patches: one(
      'store/pack/seal-pack.js',
      'return `${session.slice(0, 32)}${hex(randomness.bytes(16))}`;',
      "return `${session.slice(0, 32)}${'00'.repeat(16)}`;",
    ),
    caughtBy: ['test/store/session.test.js'],
  },
  {
    // kopia #1087
    name: 'others are not seen',
    breaks: 'a prune does not ask the store who else is at work',
    patches: one(
      'store/prune/fence.js',
      '.filter(({ id, isThere }) => id !== own && isThere)',
      '.filter(() => false)',
    ),
    caughtBy: ['test/store/prune/sessions.test.js'],
  },
  {
    // restic #21820
    name: 'an index that loses entries',
    breaks: 'an index is written anew without comparing what it lists with what was listed',
    patches: one('store/prune/merge.js', 'if (lost === undefined)', 'if (left.size >= 0)'),
    caughtBy: ['test/store/prune/rules.test.js'],
  },
  {
    // restic #4612
    name: 'a list error is no files',
    breaks: 'a folder that cannot be listed counts as empty',
    patches: one('store/backend/local.js', "if (errnoOf(error) !== 'ENOENT' || folder === '')", 'if (false)'),
    caughtBy: ['test/store/backend/local.test.js'],
  },
  {
    // restic #4612
    name: 'any set of snapshots will do',
    breaks: 'a prune believes a list that leaves out snapshots which others speak of',
    patches: one(
      'store/prune/plausible.js',
      'for (const { id, seen, previous } of manifests) {',
      'for (const { id, seen, previous } of []) {',
    ),
    caughtBy: ['test/store/prune/rules.test.js'],
  },
  {
    // restic #4523, #4677
    name: 'packs are not opened again',
    breaks: 'what the compressor made is published without decompressing it',
    patches: one('store/pack/sealing.js', 'let raw;', 'if (frame) return;\nlet raw;'),
    caughtBy: ['test/store/session.test.js'],
  },
  {
    // borg #3444, #1837
    name: 'objects are overwritten',
    breaks: 'a put replaces what has its name',
    patches: one('store/backend/memory.js', "return 'exists';", ';'),
    caughtBy: ['test/store/backend/memory.test.js'],
  },
  {
    // restic #3435
    name: 'names before bytes',
    breaks: 'a file gets its name before its bytes are on the disk',
    patches: one('store/durable.js', 'await file.sync();', ';'),
    caughtBy: ['test/store/durable.test.js'],
  },
  {
    // several clones of S3
    name: 'a medium is believed',
    breaks: 'a medium that creates an object twice is written to',
    patches: one('store/protocol/session.js', "if ((await put(second)) !== 'exists')", 'if (false)'),
    caughtBy: ['test/store/session.test.js'],
  },
  {
    // CVE-2016-10099, CVE-2023-36811
    name: 'any object under any name',
    breaks: 'a seal does not hold an object to its name',
    patches: one(
      'store/seal/object-seal.js',
      "const nameBytes = Buffer.from(name, 'utf8');",
      'const nameBytes = Buffer.alloc(0);',
    ),
    caughtBy: ['test/store/seal.test.js'],
  },
  {
    // CVE-2026-62268, restic #1445
    name: 'restore follows links',
    breaks: 'a restore writes through a link that stands where a file is to be',
    patches: one(
      'engine/home/restore/write-job.js',
      'constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW',
      'constants.O_WRONLY | constants.O_CREAT',
    ),
    caughtBy: ['test/engine/home/restore/restore.test.js'],
  },
  {
    // restic #4484 and others
    name: 'each snapshot a group of its own',
    breaks: 'retention takes every snapshot for the only one of its kind',
    patches: one(
      'engine/retention/prune.js',
      'for (const members of groupsOf(snapshots)) {',
      'for (const members of snapshots.map(one => [one])) {',
    ),
    caughtBy: ['test/engine/retention/prune.test.js'],
  },
  {
    // restic #22057
    name: 'forged times are believed',
    breaks: 'a snapshot that is dated back takes the place of a real one',
    patches: one(
      'engine/retention/retention.js',
      'else if (timeMs < (newest?.ms ?? 0) - skewMsMax)',
      'else if (false)',
    ),
    caughtBy: ['test/engine/retention/retention.test.js'],
  },
  {
    // pgbackrest #1118, #1149
    name: 'packs without an end',
    breaks: 'what is stored waits in memory for the end of the run',
    patches: one('store/pack/writer.js', 'if (pack.bytes >= packTargetBytes || isMemoryFull)', 'if (false)'),
    caughtBy: ['test/store/session.test.js'],
  },
  {
    // restic #3844, #1723
    name: 'a prune is not resumed',
    breaks: 'a prune leaves alone what an earlier one had begun',
    patches: one(
      'store/prune/reclaim.js',
      'const finished = await finishGeneration(context, { session, number: open.number, mayBeEmpty }, { onDelete, isTimeUp, signal });',
      'const finished = undefined;',
    ),
    caughtBy: ['test/store/prune/everything.test.js'],
  },
  {
    // test/faults/stop.ts, seed 1
    name: 'a sleeper accuses the store',
    breaks: 'a prune that was taken for dead takes what others took away for damage of the store',
    patches: one(
      'store/prune/merge.js',
      "throw part.code === 'STORE_OBJECT_MISSING' ? overtaken(context, part) : part;",
      'throw part;',
    ),
    caughtBy: ['test/store/prune/asleep.test.js'],
  },
  {
    // test/faults/stop-processes.ts, seeds 1 and 2
    name: 'a sleeper accuses the medium',
    breaks: 'a run whose session others removed while it proved the medium takes the medium for unfit',
    patches: one('store/protocol/session.js', "(await put(seal())) === 'exists' &&", 'false &&'),
    caughtBy: ['test/store/session.test.js'],
  },
  {
    // found by a review of this program, like those that follow
    name: 'a restore goes on with other options',
    breaks: 'what a killed restore was begun with is not compared',
    patches: one('engine/restore/marker.js', 'if (differing.length === 0)', 'if (differing)'),
    caughtBy: ['test/engine/restore/marker.test.js'],
  },
  {
    name: 'a newer object hides the others',
    breaks: 'a verification ends where one object needs a newer program',
    patches: one('engine/verify.js', 'goesPastNewer: true,', 'goesPastNewer: false,'),
    caughtBy: ['test/cli/host-names.test.js'],
  },
  {
    name: 'a false ring is a damaged one',
    breaks: 'of a ring that nobody made nothing is said but that it is damaged',
    patches: one(
      'store/keys/unlock.js',
      'throw await unlessForeign(error, { ringNumbers, open });',
      'throw error;',
    ),
    caughtBy: ['test/store/keys/keys.test.js'],
  },
];
