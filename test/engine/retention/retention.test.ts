import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { calendarIn, isTimeZone, localTimeZone } from '../../../engine/retention/calendar.ts';
import { applyRetention, isEmptyPolicy, type RetentionPolicy } from '../../../engine/retention/retention.ts';

interface Taken {
  readonly id: string;
  readonly timeMs: number;
  readonly tags: readonly string[];
  readonly isProven?: boolean;
  readonly isVerified?: boolean;
  readonly isDrilled?: boolean;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const nowMs = Date.parse('2027-06-01T00:00Z');

/** Snapshots at these times, named after them. */
const at = (...times: string[]): Taken[] =>
  times.map(time => ({ id: time, timeMs: Date.parse(`${time}Z`), tags: [] }));

interface Wish {
  readonly timeZone?: string;
  readonly held?: readonly string[];
  readonly now?: string;
}

function verdicts(snapshots: readonly Taken[], policy: RetentionPolicy, wish: Wish = {}) {
  return applyRetention(snapshots, {
    policy,
    timeZone: wish.timeZone ?? 'UTC',
    nowMs: wish.now ? Date.parse(`${wish.now}Z`) : nowMs,
    held: new Set(wish.held),
  });
}

/** Ids of what is kept. */
const kept = (...args: Parameters<typeof verdicts>): string[] =>
  verdicts(...args)
    .filter(({ isKept }) => isKept)
    .map(({ snapshot }) => snapshot.id);

/** By id, what keeps it. */
const reasons = (...args: Parameters<typeof verdicts>): Record<string, readonly string[]> =>
  Object.fromEntries(verdicts(...args).map(({ snapshot, reasons: own }) => [snapshot.id, own]));

/** One each day at noon. */
const daily = (days: number, from = '2026-11-01'): Taken[] =>
  at(
    ...Array.from({ length: days }, (_, day) =>
      new Date(Date.parse(`${from}T12:00Z`) + day * dayMs).toISOString().slice(0, 16),
    ),
  );

describe('rules', () => {
  const hours = at(
    '2026-11-20T22:10',
    '2026-11-20T23:10',
    '2026-11-20T23:50',
    '2026-11-21T00:10',
    '2026-11-21T09:00',
    '2026-11-21T09:59',
  );

  test('an empty policy forgets nothing', () => {
    for (const policy of [{}, { keepLast: 0, keepDaily: 0, keepTag: [] }]) {
      assert.ok(isEmptyPolicy(policy));
      assert.deepEqual(
        kept(hours, policy),
        hours.map(({ id }) => id),
      );
    }
    assert.deepEqual(verdicts([], { keepLast: 1 }), []);
  });

  test('the newest so many are kept', () => {
    assert.deepEqual(kept(hours, { keepLast: 2 }), ['2026-11-21T09:00', '2026-11-21T09:59']);
    assert.equal(kept(hours, { keepLast: 99 }).length, hours.length);
  });

  test('of each hour and day that has one the last is kept, and days without one do not count', () => {
    assert.deepEqual(reasons(hours, { keepHourly: 3, keepDaily: 2 }), {
      '2026-11-20T22:10': ['no rule keeps it'],
      '2026-11-20T23:10': ['no rule keeps it'],
      '2026-11-20T23:50': ['hourly 2026-11-20 23:00 +00:00', 'daily 2026-11-20'],
      '2026-11-21T00:10': ['hourly 2026-11-21 00:00 +00:00'],
      '2026-11-21T09:00': ['no rule keeps it'],
      '2026-11-21T09:59': ['newest', 'hourly 2026-11-21 09:00 +00:00', 'daily 2026-11-21'],
    });
    const gaps = at('2025-01-01T12:00', '2026-03-05T12:00', '2026-11-20T12:00');
    assert.equal(kept(gaps, { keepDaily: 3 }).length, 3);
  });

  test('rules are independent: what one keeps uses up no place of another', () => {
    const own = reasons(daily(10), { keepLast: 3, keepDaily: 5, keepWeekly: 1 });
    assert.deepEqual(own['2026-11-10T12:00'], ['newest', 'last', 'daily 2026-11-10', 'weekly 2026-W46']);
    assert.deepEqual(
      Object.keys(own).filter(id => own[id]![0] !== 'no rule keeps it'),
      daily(10)
        .slice(5)
        .map(({ id }) => id),
    );
  });

  test('months and years have their last snapshot', () => {
    assert.deepEqual(kept(daily(100, '2026-10-20'), { keepMonthly: 3, keepYearly: 9 }), [
      '2026-11-30T12:00',
      '2026-12-31T12:00',
      '2027-01-27T12:00',
    ]);
  });

  test('within counts back from the newest snapshot, not from now', () => {
    const own = reasons(daily(10), { keepWithinMs: 2 * dayMs });
    assert.deepEqual(
      Object.keys(own).filter(id => own[id]!.includes('within 2d')),
      ['2026-11-08T12:00', '2026-11-09T12:00', '2026-11-10T12:00'],
    );
    assert.ok(verdicts(daily(2), { keepWithinMs: 26 * hourMs })[0]?.reasons.includes('within 26h'));
  });

  test('a tag keeps all that carry it', () => {
    const snapshots = daily(4).map((one, day) => ({ ...one, tags: day === 1 ? ['upgrade', 'x'] : ['x'] }));
    assert.deepEqual(kept(snapshots, { keepTag: ['upgrade', 'absent'] }), [
      '2026-11-02T12:00',
      '2026-11-04T12:00',
    ]);
    assert.deepEqual(verdicts(snapshots, { keepTag: ['upgrade'] })[1]?.reasons, ['tag upgrade']);
  });

  test('what is held is kept and takes the place of no other', () => {
    const held = ['2026-11-03T12:00', '2026-11-10T12:00'];
    const own = reasons(daily(10), { keepLast: 1, keepDaily: 2 }, { held });
    assert.deepEqual(own['2026-11-03T12:00'], ['hold']);
    assert.deepEqual(own['2026-11-10T12:00'], ['newest', 'hold']);
    assert.deepEqual(own['2026-11-09T12:00'], ['last', 'daily 2026-11-09']);
    assert.deepEqual(own['2026-11-08T12:00'], ['daily 2026-11-08']);
    assert.deepEqual(own['2026-11-07T12:00'], ['no rule keeps it']);
  });

  test('the newest is kept whatever the policy says', () => {
    assert.deepEqual(kept(daily(3), { keepTag: ['absent'] }), ['2026-11-03T12:00']);
  });
});

describe('local time', () => {
  const berlin = { timeZone: 'Europe/Berlin' };

  test('a day begins at local midnight', () => {
    const evening = at('2026-11-20T22:30', '2026-11-20T23:30');
    assert.deepEqual(kept(evening, { keepDaily: 5 }), ['2026-11-20T23:30']);
    assert.deepEqual(kept(evening, { keepDaily: 5 }, berlin), ['2026-11-20T22:30', '2026-11-20T23:30']);
  });

  test('the hour that a change of clocks repeats is two, the one it leaves out is none', () => {
    const back = at('2026-10-25T00:10', '2026-10-25T00:50', '2026-10-25T01:10', '2026-10-25T02:10');
    assert.deepEqual(reasons(back, { keepHourly: 9 }, berlin), {
      '2026-10-25T00:10': ['no rule keeps it'],
      '2026-10-25T00:50': ['hourly 2026-10-25 02:00 +02:00'],
      '2026-10-25T01:10': ['hourly 2026-10-25 02:00 +01:00'],
      '2026-10-25T02:10': ['newest', 'hourly 2026-10-25 03:00 +01:00'],
    });
    const forth = at('2026-03-29T00:30', '2026-03-29T01:30');
    assert.deepEqual(
      verdicts(forth, { keepHourly: 9 }, berlin).flatMap(({ reasons: own }) => own.slice(-1)),
      ['hourly 2026-03-29 01:00 +01:00', 'hourly 2026-03-29 03:00 +02:00'],
    );
  });

  test('days of 23 and 25 hours are one day each', () => {
    const hourly = (from: string, count: number) =>
      at(
        ...Array.from({ length: count }, (_, hour) =>
          new Date(Date.parse(`${from}Z`) + hour * hourMs).toISOString().slice(0, 16),
        ),
      );
    for (const [from, count] of [
      ['2026-03-28T23:00', 23],
      ['2026-10-24T22:00', 25],
    ] as const) {
      assert.equal(kept(hourly(from, count), { keepDaily: 9 }, berlin).length, 1);
      assert.equal(kept(hourly(from, count), { keepHourly: 99 }, berlin).length, count);
      assert.equal(kept(hourly(from, count + 1), { keepDaily: 9 }, berlin).length, 2);
    }
  });

  test('weeks begin on Monday and belong to the year of their Thursday', () => {
    const week = (day: string) => calendarIn('UTC')(Date.parse(day)).week;
    for (const [day, name] of [
      ['2026-11-22', '2026-W47'],
      ['2026-11-23', '2026-W48'],
      ['2027-01-03', '2026-W53'],
      ['2027-01-04', '2027-W01'],
      ['2024-12-30', '2025-W01'],
      ['2022-01-02', '2021-W52'],
    ] as const)
      assert.equal(week(day), name, day);
  });

  test('an hour is a local one, also where the offset is no whole hour', () => {
    const own = verdicts(
      at('2026-01-01T00:20', '2026-01-01T00:40'),
      { keepHourly: 2 },
      { timeZone: 'Asia/Kolkata' },
    );
    assert.deepEqual(
      own.map(({ reasons: [last] }) => last),
      ['hourly 2026-01-01 05:00 +05:30', 'newest'],
    );
  });

  test('only names of time zones are time zones', () => {
    for (const name of ['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires', 'Etc/GMT-14'])
      assert.ok(isTimeZone(name), name);
    for (const name of ['', 'Berlin', 'Europe/Belrin', '+02:00', 'CEST5', '../UTC'])
      assert.ok(!isTimeZone(name), name);
  });
});

describe('clocks that are wrong', () => {
  test('snapshots dated back into every day evict none of the real ones', () => {
    const real = daily(10);
    const forged = real.map(({ id, timeMs }) => ({
      id: `forged ${id}`,
      timeMs: timeMs + 11 * hourMs,
      tags: [],
    }));
    const survivors = kept([...real, ...forged], { keepDaily: 10 });
    assert.deepEqual(
      survivors.filter(id => !id.startsWith('forged')),
      kept(real, { keepDaily: 10 }),
    );
    assert.ok(survivors.includes('forged 2026-11-10T12:00'), 'today is anybody’s');
  });

  test('a snapshot from the future makes no other old, and is kept until its day', () => {
    const snapshots = [...daily(5), ...at('2031-01-01T00:00'), ...daily(2, '2026-11-06')];
    const policy = { keepDaily: 3, keepWithinMs: dayMs };
    const wish = { now: '2026-11-08T00:00' };
    assert.deepEqual(kept(snapshots, policy, wish), [
      '2026-11-05T12:00',
      '2031-01-01T00:00',
      '2026-11-06T12:00',
      '2026-11-07T12:00',
    ]);
    assert.deepEqual(reasons(snapshots, policy, wish)['2031-01-01T00:00'], ['dated in the future']);
  });

  test('what follows a snapshot whose clock was ahead is kept until that one is forgotten', () => {
    const snapshots = [...daily(2), ...at('2026-12-24T00:00'), ...daily(3, '2026-11-03')];
    const own = reasons(snapshots, { keepDaily: 1 });
    assert.deepEqual(own['2026-11-04T12:00'], ['dated before an earlier snapshot']);
    assert.deepEqual(
      kept(
        snapshots.filter(({ id }) => id !== '2026-12-24T00:00'),
        { keepDaily: 1 },
      ),
      ['2026-11-05T12:00'],
    );
  });

  test('a clock that was set back by minutes costs no day its snapshot', () => {
    const snapshots = at('2026-11-01T12:00', '2026-11-02T00:10', '2026-11-01T23:50');
    assert.deepEqual(kept(snapshots, { keepDaily: 9 }), ['2026-11-02T00:10', '2026-11-01T23:50']);
  });

  test('where no rule looks at times, times are nothing to believe', () => {
    const snapshots = [...daily(3), ...at('2031-01-01T00:00', '2026-11-04T12:00')];
    assert.deepEqual(kept(snapshots, { keepLast: 1 }), ['2026-11-04T12:00']);
  });

  test('times that are no dates are not believed', () => {
    const odd = [8.7e15, -8.7e15, Number.MAX_SAFE_INTEGER].map(timeMs => ({
      id: `${timeMs}`,
      timeMs,
      tags: [],
    }));
    assert.equal(kept([...odd, ...daily(2)], { keepDaily: 1 }).length, 4);
  });
});

describe('what is not proven', () => {
  const unproven = (...snapshots: Taken[]) => snapshots.map(one => ({ ...one, isProven: false }));

  test('stands for no hour or day that has a proven one, and uses up no place of one', () => {
    const list = [
      ...at('2026-11-01T10:00', '2026-11-02T10:00'),
      ...unproven(...at('2026-11-02T18:00', '2026-11-03T10:00', '2026-11-03T18:00', '2026-11-04T10:00')),
    ];
    assert.deepEqual(reasons(list, { keepDaily: 2 }), {
      '2026-11-01T10:00': ['daily 2026-11-01'],
      '2026-11-02T10:00': ['newest proven', 'daily 2026-11-02'],
      '2026-11-02T18:00': ['no rule keeps it'],
      '2026-11-03T10:00': ['no rule keeps it'],
      '2026-11-03T18:00': ['daily 2026-11-03'],
      '2026-11-04T10:00': ['newest', 'daily 2026-11-04'],
    });
    assert.deepEqual(kept(list, { keepLast: 1 }), ['2026-11-02T10:00', '2026-11-04T10:00']);
  });

  test('does not become the newest verified or drilled one in the place of a proven one', () => {
    const [first, second, third] = daily(3) as [Taken, Taken, Taken];
    const list = [
      { ...first, isVerified: true },
      ...unproven({ ...second, isVerified: true, isDrilled: true }),
      third,
    ];
    assert.deepEqual(reasons(list, { keepTag: ['absent'] }), {
      [first.id]: ['newest verified'],
      [second.id]: ['newest verified', 'newest drilled'],
      [third.id]: ['newest'],
    });
  });

  test('does not move the time that within counts back from', () => {
    const list = [...daily(3), ...unproven(...at('2027-05-30T12:00'))];
    assert.equal(kept(list, { keepWithinMs: 2 * dayMs }).length, 4);
  });
});

describe('whatever the snapshots', () => {
  const snapshot = fc.record({
    id: fc.uuid(),
    timeMs: fc.oneof(
      fc.integer({ min: nowMs - 400 * dayMs, max: nowMs + 20 * dayMs }),
      fc.integer({ min: nowMs - 5 * hourMs, max: nowMs + 2 * hourMs }),
    ),
    tags: fc.subarray(['a', 'b']),
    isProven: fc.boolean(),
    isVerified: fc.boolean(),
    isDrilled: fc.boolean(),
  });
  const snapshots = fc.uniqueArray(snapshot, { selector: ({ id }) => id, maxLength: 60 });
  const ordered = snapshots.map(list =>
    list.filter(({ timeMs }) => timeMs <= nowMs).sort((a, b) => a.timeMs - b.timeMs),
  );
  const proven = (list: readonly Taken[]) => list.filter(one => one.isProven);
  const count = fc.integer({ min: 0, max: 8 });
  const policy = fc.record({
    keepLast: count,
    keepHourly: count,
    keepDaily: count,
    keepWeekly: count,
    keepMonthly: count,
    keepYearly: count,
    keepWithinMs: fc.integer({ min: 0, max: 30 }).map(days => days * dayMs),
    keepTag: fc.subarray(['a', 'b']),
  });
  const timeZone = fc.constantFrom(
    'UTC',
    'Europe/Berlin',
    'Australia/Lord_Howe',
    'America/Sao_Paulo',
    'Asia/Kolkata',
  );
  const decide = (
    list: readonly Taken[],
    rules: RetentionPolicy,
    options: { zone: string; held?: string[] },
  ) => new Set(kept(list, rules, { timeZone: options.zone, ...(options.held && { held: options.held }) }));

  test('the newest and what is held are kept, and order is that of the input', () => {
    fc.assert(
      fc.property(snapshots, policy, timeZone, (list, rules, zone) => {
        const held = list.filter((_, index) => index % 5 === 0).map(({ id }) => id);
        const own = decide(list, rules, { zone, held });
        for (const id of [...held, ...list.slice(-1).map(last => last.id)]) assert.ok(own.has(id));
        assert.deepEqual(
          [...own],
          list.map(({ id }) => id).filter(id => own.has(id)),
        );
      }),
    );
  });

  test('no policy crosses the floor: the newest, the newest proven, verified and drilled one', () => {
    fc.assert(
      fc.property(snapshots, policy, timeZone, (list, rules, zone) => {
        const own = decide(list, rules, { zone });
        for (const some of [list, list.filter(one => one.isVerified), list.filter(one => one.isDrilled)])
          for (const newest of [...some.slice(-1), ...proven(some).slice(-1)]) assert.ok(own.has(newest.id));
      }),
    );
  });

  test('no snapshot that is not proven makes a proven one go, wherever it comes and whatever its date', () => {
    fc.assert(
      fc.property(snapshots, policy, timeZone, (list, rules, zone) => {
        const alone = decide(proven(list), rules, { zone });
        const among = decide(list, rules, { zone });
        for (const id of alone) assert.ok(among.has(id), `${id} was evicted`);
      }),
    );
  });

  test('deciding again about what was kept forgets nothing more, however the dates were forged', () => {
    fc.assert(
      fc.property(snapshots, policy, timeZone, (list, rules, zone) => {
        const own = decide(list, rules, { zone });
        const rest = list.filter(({ id }) => own.has(id));
        if (rest.length < list.length) assert.ok(!isEmptyPolicy(rules));
        const again = decide(rest, rules, { zone });
        assert.deepEqual(again, own);
      }),
    );
  });

  test('a rule more keeps no snapshot less, and a hold never costs another its place', () => {
    fc.assert(
      fc.property(snapshots, policy, policy, timeZone, fc.nat(), (list, rules, more, zone, pick) => {
        fc.pre(!isEmptyPolicy(rules) && list.length > 0);
        const own = decide(list, rules, { zone });
        const both = {
          ...rules,
          keepLast: Math.max(rules.keepLast, more.keepLast),
          keepHourly: Math.max(rules.keepHourly, more.keepHourly),
          keepDaily: Math.max(rules.keepDaily, more.keepDaily),
          keepWeekly: Math.max(rules.keepWeekly, more.keepWeekly),
          keepMonthly: Math.max(rules.keepMonthly, more.keepMonthly),
          keepYearly: Math.max(rules.keepYearly, more.keepYearly),
          keepWithinMs: Math.max(rules.keepWithinMs, more.keepWithinMs),
          keepTag: ['a', 'b'],
        };
        const wider = decide(list, both, { zone });
        const holding = decide(list, rules, { zone, held: [list[pick % list.length]!.id] });
        for (const id of own) assert.ok(wider.has(id) && holding.has(id));
      }),
    );
  });

  test('no snapshot that is dated back evicts one that was there', () => {
    fc.assert(
      fc.property(ordered, snapshots, timeZone, (before, later, zone) => {
        fc.pre(before.length > 0);
        const real = before.map(one => ({ ...one, isVerified: false, isDrilled: false }));
        const rules = { keepHourly: 100, keepDaily: 100, keepMonthly: 100 };
        const newestMs = real.at(-1)!.timeMs;
        const ids = new Set(real.map(({ id }) => id));
        const forged = later
          .filter(({ id, timeMs }) => !ids.has(id) && timeMs < newestMs - 2 * hourMs)
          .map(one => ({ ...one, isVerified: false, isDrilled: false }));
        const own = decide(real, rules, { zone });
        const after = decide([...real, ...forged], rules, { zone });
        for (const id of own) assert.ok(after.has(id), `${id} was evicted`);
      }),
    );
  });
});

test('a machine that is set to no time zone of the tables counts in UTC', () => {
  const before = process.env['TZ'];
  try {
    for (const [zone, name] of [
      ['Europe/Berlin', 'Europe/Berlin'],
      ['', 'UTC'],
      ['No/Such', 'UTC'],
      ['UTC+3', 'UTC'],
    ]) {
      process.env['TZ'] = zone;
      assert.equal(localTimeZone(), name, zone);
    }
  } finally {
    if (before === undefined) delete process.env['TZ'];
    else process.env['TZ'] = before;
  }
});
