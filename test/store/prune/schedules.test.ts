import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Backend } from '../../../store/index.ts';
import { type Mutants, PruneStory } from '../../helpers/prune-story.ts';

const story = await PruneStory.prepare();
/** A night run sets more; each failure names its seed. */
const schedules = Number(process.env['STILLPOINT_SCHEDULES'] ?? 100);
const firstSeed = Number(process.env['STILLPOINT_SEED'] ?? 1);

test('whatever writers and pruners do beside each other, every snapshot that was committed is whole', async () => {
  for (let seed = firstSeed; seed < firstSeed + schedules; seed++)
    assert.equal(await story.play(seed), undefined);
  // The schedules are worth something only if those who live go on: nearly every backup, and vetoes among them.
  const { commits, refusedCommits, prunes } = story.tally;
  assert.ok(commits > 10 * refusedCommits && prunes > 0, JSON.stringify(story.tally));
});

type Listed = { readonly name: string; readonly bytes: number };

/** Answers a list again as it was answered before, once `isFrozen`. */
function freezing(
  medium: Backend,
  prefixes: readonly string[],
  isFrozen: (put: string | undefined, lists: number) => boolean,
): Backend {
  const kept = new Map<string, Listed[]>();
  let lists = 0;
  let lastPut: string | undefined;
  let frozen = false;
  return {
    ...medium,
    put: (name, bytes, options) => {
      lastPut = name;
      frozen ||= isFrozen(lastPut, lists);
      return medium.put(name, bytes, options);
    },
    async *list(prefix, options) {
      const held = kept.get(prefix);
      if (prefixes.includes(prefix)) {
        frozen ||= isFrozen(lastPut, lists);
        lists += 1;
        if (frozen && held !== undefined) {
          yield* held;
          return;
        }
      }
      const listed: Listed[] = [];
      for await (const object of medium.list(prefix, options)) listed.push(object);
      kept.set(prefix, listed);
      yield* listed;
    },
  };
}

const mutants: Readonly<Record<string, Mutants>> = {
  'a writer that does not look again': {
    writer: medium => freezing(medium, ['gc/'], (_, lists) => lists > 0),
  },
  'a writer without an intent': {
    writer: medium => ({
      ...medium,
      put: (name, bytes, options) =>
        name.startsWith('intents/') ? Promise.resolve('created') : medium.put(name, bytes, options),
    }),
  },
  'a pruner that does not look again before it sweeps': {
    pruner: medium =>
      freezing(medium, ['intents/', 'manifests/', 'sessions/'], put => /^gc\/[0-9]+$/.test(put ?? '')),
  },
  'a writer that takes no notice of tombstones': { writer: hidingEarlier },
};

/** Of what is under gc/ when it begins, it never sees anything. */
function hidingEarlier(medium: Backend): Backend {
  let hidden: Set<string> | undefined;
  return {
    ...medium,
    async *list(prefix, options) {
      const listed: Listed[] = [];
      for await (const object of medium.list(prefix, options)) listed.push(object);
      if (prefix === 'gc/') hidden ??= new Set(listed.map(({ name }) => name));
      yield* prefix === 'gc/' ? listed.filter(({ name }) => !hidden!.has(name)) : listed;
    },
  };
}

for (const [what, mutant] of Object.entries(mutants))
  test(`the schedules catch ${what}`, async () => {
    for (let seed = 1; seed <= 600; seed++) if ((await story.play(seed, mutant))?.includes('is lost')) return;
    assert.fail('no schedule caught it');
  });
