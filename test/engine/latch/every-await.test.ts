import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  atEveryWait,
  atRandom,
  describeWrong,
  goodRun,
  type Judged,
  judged,
} from '../../../bench/latch/simulation/everywhere.ts';
import {
  budgetsDefault,
  describeFault,
  everyFault,
  type Injection,
} from '../../../bench/latch/simulation/faults.ts';
import { heldOf, judge } from '../../../bench/latch/simulation/judge.ts';

/**
 * What either side waits for in a run, by who waits: a call once as it leaves and once as its answer does, what it
 * writes to the other's pipe, a file call, a pause with the functions that led to it, a phase, the body. A wait that is
 * not here was not thought of: see what a fault does to it before it is added.
 */
const waits = {
  program: [
    ...['body captures', 'body pin is checked', 'body pins'],
    ...['backup', 'progress', 'properties', 'status', 'unlock'].flatMap(asCall),
    ...['file mkdir folder', 'file readFile process', 'file readdir folder', 'file unlink record'],
    ...written(),
    ...['phase capture', 'phase drain', 'phase fence', 'phase lock', 'phase unlock'],
    ...['says arm', 'says lock', 'says released'],
    'sleep capture < work',
    'sleep drainTask',
    'sleep drainTask < drain < work',
    'sleep watch',
    'sleep watch < capture < work',
    'sleep within < finish < finish',
    'sleep within < inTime < arm',
    'sleep within < inTime < lock',
    'sleep within < settle < release',
  ],
  sentinel: [
    ...['lock', 'properties'].flatMap(asCall),
    ...['file mkdir folder', 'file unlink record'],
    ...written(),
    ...['says armed', 'says locked', 'says persisted'],
    'sleep overrun < lock < standGuard',
  ],
};

function asCall(route: string): string[] {
  return [`call ${route} sent`, `call ${route} answered`];
}

/** A record on its way to the disk. */
function written(): string[] {
  const temporary = ['open', 'write', 'sync', 'close', 'rename'].map(call => `file ${call} temporary`);
  return [...temporary, ...['open', 'sync', 'close'].map(call => `file ${call} folder`), 'file unlink note'];
}

test('the list of waits is the list that a run has', async () => {
  const { moments } = await goodRun();
  for (const side of ['program', 'sentinel'] as const) {
    const names = new Set(moments.filter(moment => moment.side === side).map(({ name }) => name));
    assert.deepEqual([...names].sort(), [...waits[side]].sort(), side);
  }
});

test('a run in which nothing happens keeps its pair, within its bound', async () => {
  const facts = await goodRun();
  assert.deepEqual(judge(facts), []);
  assert.equal(facts.end?.result, 'captured');
  assert.equal(facts.latches.length, 1);
  const [held] = heldOf(facts);
  assert.ok(held!.heldMs < held!.boundMs);
});

test('the same schedule comes out the same', async () => {
  const texts: string[] = [];
  for (let run = 0; run < 2; run += 1) {
    for await (const { facts } of atRandom(5, { seed: 77 }))
      texts.push(JSON.stringify([facts.moments, facts.latches, facts.end]));
  }
  assert.deepEqual(texts.slice(0, 5), texts.slice(5));
});

async function assertNoneWrong(runs: AsyncIterable<Judged>): Promise<number> {
  const wrong: string[] = [];
  let count = 0;
  for await (const run of runs) {
    count += 1;
    if (run.wrong.length > 0) wrong.push(describeWrong(run));
  }
  assert.deepEqual(wrong, []);
  return count;
}

for (const fault of everyFault(budgetsDefault)) {
  test(`at every wait × ${describeFault(fault)}: unlocked in time, or told so, and the next run works`, async context => {
    const count = await assertNoneWrong(atEveryWait(fault));
    context.diagnostic(`${count} waits`);
    assert.ok(count >= 70);
  });
}

const waitOf = (side: 'program' | 'sentinel', name: string) => ({ side, name, index: 0 });
const once = (how: 'reset' | '500', { ms, reaches }: { ms: number; reaches: boolean }) =>
  ({ kind: 'outage', how, reaches, ms }) as const;
const longStop = { kind: 'stop', who: 'sentinel', ms: 262_144 } as const;

/** What random schedules found once. */
const found: readonly (readonly [
  what: string,
  code: string | undefined,
  injections: readonly Injection[],
])[] = [
  [
    "a sentinel that was given up and goes on leaves the record of a lock that may be its program's",
    'APP_STILL_LOCKED',
    [
      { at: waitOf('program', 'says lock'), fault: longStop },
      { at: waitOf('program', 'call lock sent'), fault: once('500', { ms: 512, reaches: true }) },
    ],
  ],
  [
    'the lock that the program takes to find out is in its record',
    undefined,
    [
      { at: waitOf('program', 'says lock'), fault: { kind: 'kill', who: 'sentinel', ms: 0 } },
      { at: waitOf('program', 'call unlock sent'), fault: once('500', { ms: 5_000, reaches: false }) },
      { at: waitOf('program', 'sleep unlockSurely'), fault: { kind: 'kill', who: 'program', ms: 0 } },
    ],
  ],
  [
    'a program that was stopped in a try to unlock tries again before it gives up',
    'LATCH_LAPSED',
    [
      { at: waitOf('program', 'call unlock sent'), fault: once('reset', { ms: 2_000, reaches: false }) },
      {
        at: waitOf('program', 'call unlock answered'),
        fault: { kind: 'stop', who: 'program', ms: 400_000 },
      },
    ],
  ],
];
for (const [what, code, injections] of found) {
  test(what, async () => {
    const run = await judged({ seed: 1, budgets: budgetsDefault, injections });
    assert.equal(run.facts.end?.code, code);
    assert.deepEqual(run.wrong, [], describeWrong(run));
  });
}

test('up to three faults at random: unlocked in time, or told so, and the next run works', async context => {
  const seed = 1;
  context.diagnostic(`seed ${seed}; more with npm run bench:latch -- --random 10000 --seed ${seed}`);
  await assertNoneWrong(atRandom(400, { seed }));
});
