import type { Mutant, Patch } from './mutant.ts';

function one(file: string, find: string, replace: string): readonly Patch[] {
  return [{ file: `store/${file}`, find, replace }];
}

/** Rules of FORMAT.md, 11, each left out of the real code. The model has them, too (test/model/). */
export const protocolMutants: readonly Mutant[] = [
  {
    name: 'no second look',
    breaks: 'a writer does not look again between its intent and its manifest',
    patches: one('dependencies.js', 'const { generations: before } = dependent;', 'if (dependent) return;'),
    caughtBy: 'schedules',
  },
  {
    name: 'no intent',
    breaks: 'a writer creates no intent',
    patches: one(
      'backup-session.js',
      'await createIntent(context, { session: id, record: { host, roots: manifest.roots } }, { signal });',
      'void createIntent;',
    ),
    caughtBy: 'schedules',
  },
  {
    name: 'intent after the look',
    breaks: 'a writer looks again, and creates its intent then',
    patches: [
      ...one(
        'backup-session.js',
        'await createIntent(context, { session: id, record: { host, roots: manifest.roots } }, { signal });',
        '',
      ),
      ...one(
        'backup-session.js',
        'const snapshot = await commitManifest(',
        'await createIntent(context, { session: id, record: { host, roots: manifest.roots } }, { signal });\nconst snapshot = await commitManifest(',
      ),
    ],
    caughtBy: 'schedules',
  },
  {
    name: 'no veto',
    breaks: 'a writer that finds only tombstoned copies hopes for the best',
    patches: one('dependencies.js', 'if (!verdict.needsVeto)', 'if (true)'),
    caughtBy: 'schedules',
  },
  {
    name: 'parents are trusted',
    breaks: 'the second look does not walk: it asks for the roots alone',
    patches: one('dependencies.js', 'onChunk({ id }) {', 'isKnown: () => true,\nonChunk({ id }) {'),
    caughtBy: 'schedules',
  },
  {
    name: 'sweep not exclusive',
    breaks: 'a pruner goes by its own decision where a sweep is there already',
    patches: one(
      'prune/sweep.js',
      'return readSweep(context, number, { signal });',
      'return { number, packs, indexParts };',
    ),
    caughtBy: 'schedules',
  },
  {
    name: 'no second decision',
    breaks: 'what a generation names goes, without a second look',
    patches: one(
      'prune/sweep.js',
      'const packs = sweepable({ loaded, marked, record, isAlive });',
      'const packs = tombstonesOf(record).sort();',
    ),
    caughtBy: 'schedules',
  },
  {
    name: 'no keeper',
    breaks: 'a sweep takes what is needed and has no copy outside',
    patches: one('prune/sweep.js', 'spared.add(pack);\n    }', ';\n    }'),
    caughtBy: 'schedules',
  },
  {
    name: 'decision sees old roots',
    breaks: 'the second decision looks at the index again, and not at intents and manifests',
    patches: one(
      'prune/sweep.js',
      '{ loaded, roots }, { before, since, isTimeUp: limit, signal }',
      '{ loaded, roots: before ? [] : roots }, { before, since, isTimeUp: limit, signal }',
    ),
    caughtBy: 'schedules',
  },
  {
    name: 'intents do not count',
    breaks: 'a pruner looks at manifests only',
    patches: one('prune/roots.js', 'if (intent !== undefined)', 'if (false)'),
    caughtBy: 'schedules',
  },
  {
    name: 'manifests before intents',
    breaks: 'a pruner lists manifests first and intents second',
    patches: [
      ...one(
        'prune/roots.js',
        'const roots = [];',
        'const roots = [];\nconst ids = await listManifestIds(context, { signal });',
      ),
      ...one(
        'prune/roots.js',
        '    const ids = await listManifestIds(context, { signal });\n    const marked',
        '    const marked',
      ),
    ],
    caughtBy: 'schedules',
  },
  {
    name: 'tombstone before copy',
    breaks: 'what is needed of a rewritten pack is not copied before the pack is swept',
    patches: [
      ...one('prune/rewrite.js', 'if (wanted.length > 0)', 'if (false)'),
      ...one(
        'prune/sweep.js',
        'const packs = sweepable({ loaded, marked, record, isAlive });',
        'const packs = tombstonesOf(record).sort();',
      ),
    ],
    caughtBy: 'schedules',
  },
  {
    name: 'no copies',
    breaks: 'what is needed of a rewritten pack is not copied',
    patches: one('prune/rewrite.js', 'if (wanted.length > 0)', 'if (false)'),
    caughtBy: ['test/store/prune/reclaim.test.js'],
  },
  {
    name: 'stale intent deleted first',
    breaks: 'a stale intent is removed without taking the name of its manifest',
    patches: one(
      'prune/fence.js',
      "await putRecord(context, { name, kind: 'aborted', codec: abortedRecord, record, session: id }, { signal });",
      'void [name, record, putRecord, abortedRecord];',
    ),
    caughtBy: 'schedules',
  },
  {
    name: 'swept packs not masked',
    breaks: 'whoever reads the index believes its parts alone',
    patches: one('chunk-index/masks.js', 'swept.has(pack)', '(false && swept)'),
    caughtBy: 'schedules',
  },
  {
    name: 'new things depend on tombstoned packs',
    breaks: 'a writer takes packs that a generation names for whole, at its second look, too',
    patches: one('chunk-index/masks.js', 'tombstoned.has(pack)', '(false && tombstoned)'),
    caughtBy: 'schedules',
  },
  {
    name: 'read back',
    breaks: 'a commit takes "exists" for its own manifest',
    patches: one('commit.js', "answer === 'created' ||", "answer !== '' ||"),
    caughtBy: 'schedules',
  },
  {
    name: 'commit not repeated',
    breaks: 'a commit whose answer is lost counts as failed',
    patches: one(
      'commit.js',
      'return await backend.put(name, bytes);\n        }\n        catch {\n            onUnknown();',
      'throw error;\n        }\n        catch {',
    ),
    caughtBy: 'schedules',
  },
  {
    name: 'forgotten after the delete',
    breaks: 'forgetting deletes the manifest first, and marks it then',
    patches: one(
      'forget.js',
      "const place = { name, kind: 'forgotten', codec: forgottenRecord, record };",
      "await backend.delete(manifestName(id));\nconst place = { name, kind: 'forgotten', codec: forgottenRecord, record };",
    ),
    caughtBy: ['test/store/forget.test.js'],
  },
  {
    name: 'readers do not count',
    breaks: 'a pruner does not ask what sessions name',
    patches: one(
      'prune/roots.js',
      'const { sessions, named } =',
      'const named = new Map();\nconst { sessions } =',
    ),
    caughtBy: 'schedules',
  },
  {
    name: 'index parts deleted before new ones',
    breaks: 'a prune deletes index parts that list swept packs, and writes their rows anew then',
    patches: [
      ...one(
        'prune/merge.js',
        'await putIndexPart(context, { session, rows: [...rows.values()], replaces, written }, { signal });',
        'for (const id of replaces) await context.backend.delete(`index/${id}`);\nawait putIndexPart(context, { session, rows: [...rows.values()], replaces, written }, { signal });',
      ),
    ],
    caughtBy: 'schedules',
    covered: 'packs that no part lists are asked themselves, and the next prune lists them again',
  },
  {
    name: 'merging loses rows',
    breaks: 'a merged index part lacks a row, and nobody compares',
    patches: [
      ...one('prune/merge.js', 'rows: [...rows.values()]', 'rows: [...rows.values()].slice(1)'),
      ...one('prune/merge.js', 'if (lost === undefined)', 'if (true)'),
      ...one('prune/sweep.js', 'return part?.packs.every(', 'return [].every('),
    ],
    caughtBy: 'schedules',
  },
  {
    name: 'merging loses rows, compared',
    breaks: 'a merged index part lacks a row',
    patches: one('prune/merge.js', 'rows: [...rows.values()]', 'rows: [...rows.values()].slice(1)'),
    caughtBy: ['test/store/prune/rules.test.js', 'test/store/prune/reclaim.test.js'],
    covered: 'rows that go are asked for first: compare, or the part stays',
  },
  {
    name: 'kept and not listed',
    breaks: 'a pruner counts on packs that no index part lists for certain, and does not list them',
    patches: one('prune/plan.js', 'const toList = unlisted.filter(', 'const toList = [].filter('),
    caughtBy: ['test/store/prune/rules.test.js'],
  },
  {
    name: 'marks say nothing of what came before',
    breaks: 'what came before a forgotten snapshot is missed by nobody',
    patches: one('forget.js', 'reason, ...(previous && { previous }) };', 'reason };'),
    caughtBy: ['test/store/prune/rules.test.js'],
  },
  {
    name: 'the ledger is no witness',
    breaks: 'a prune does not miss what was verified',
    patches: one('prune/plausible.js', '[...remembered, ...marks', '[...marks'),
    caughtBy: ['test/store/prune/rules.test.js'],
  },
  {
    name: 'a policy forgets what it was shown',
    breaks: 'a list that leaves snapshots out costs others their marks before anybody looks at it',
    patches: one('prune.js', 'await readRoots(context, {', 'void Object({'),
    caughtBy: ['test/engine/retention/prune.test.js'],
  },
];
