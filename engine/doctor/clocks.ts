import type { Clock } from '../../store/index.ts';
import type { PostgresAddress } from '../database/index.ts';
import { openConnection } from '../database/postgres/connect/open-connection.ts';
import type { Check } from './check.ts';
import { bad, type Finding, good, warn } from './finding.ts';

const name = 'clocks';
/** NTP keeps machines within milliseconds. */
const apartMsMax = 2_000;
/** Before this program was written: a machine without a battery begins in 1970. */
const earliestMs = Date.UTC(2020, 0, 1);
const monotonicMs = 20;

export interface ClockOptions {
  readonly clock: Clock;
  /** The base URL of the application, where it has one. */
  readonly applicationUrl: string | null;
  readonly database: PostgresAddress | null;
}

/** This clock goes forward, and agrees with those of the application and the database server. */
export function checkClocks(options: ClockOptions): Check {
  const { clock, applicationUrl, database } = options;
  return {
    name,
    async run(signal) {
      const findings = [...(await checkOwn(clock, signal))];
      if (applicationUrl !== null) {
        const theirs = await askApplication(applicationUrl, { clock, signal });
        // A Date header tells whole seconds, cut off: half of one is added to be fair.
        findings.push(...judge('the application', theirs && { ...theirs, theirsMs: theirs.theirsMs + 500 }));
      }
      if (database !== null)
        findings.push(...judge('the database server', await askDatabase(database, { clock, signal })));
      return findings.length > 0
        ? findings
        : [good(name, 'this one goes forward, and agrees with those that were asked')];
    },
  };
}

async function checkOwn(clock: Clock, signal: AbortSignal): Promise<Finding[]> {
  const findings: Finding[] = [];
  const nowMs = clock.nowMs();
  if (nowMs < earliestMs) {
    const found = `this machine says that it is ${new Date(nowMs).toISOString()}`;
    findings.push(bad(name, { found, remedy: 'Set its clock, with NTP.' }));
  }
  const startedMs = clock.monotonicMs();
  await clock.sleep(monotonicMs, signal);
  if (clock.monotonicMs() > startedMs) return findings;
  const found = 'the monotonic clock of this machine stands still: no time-out would ever pass';
  return [...findings, bad(name, { found, remedy: 'Look after the virtual machine or its clock source.' })];
}

interface Reading {
  readonly theirsMs: number;
  /** Ours, half-way between question and answer. */
  readonly oursMs: number;
}

function judge(whose: string, reading: Reading | undefined): Finding[] {
  if (!reading) return [];
  const apartMs = reading.theirsMs - reading.oursMs;
  if (Math.abs(apartMs) <= apartMsMax) return [];
  const found = `the clock of ${whose} is ${(Math.abs(apartMs) / 1000).toFixed(0)} s ${apartMs > 0 ? 'ahead of' : 'behind'} this one`;
  return [
    warn(name, {
      found,
      remedy: 'Set all clocks with NTP: times of snapshots and of files are told by them.',
    }),
  ];
}

type Ask = { readonly clock: Clock; readonly signal: AbortSignal };

async function timed(clock: Clock, ask: () => Promise<number | undefined>): Promise<Reading | undefined> {
  const askedMs = clock.nowMs();
  const theirsMs = await ask().catch(() => undefined); // that it does not answer is told elsewhere
  return theirsMs === undefined ? undefined : { theirsMs, oursMs: (askedMs + clock.nowMs()) / 2 };
}

function askApplication(url: string, { clock, signal }: Ask): Promise<Reading | undefined> {
  return timed(clock, async () => {
    const answer = await fetch(`${url}/rest/api/1.0/application-properties`, { redirect: 'manual', signal });
    await answer.body?.cancel();
    const date = answer.headers.get('date');
    const theirsMs = date === null ? Number.NaN : Date.parse(date);
    return Number.isNaN(theirsMs) ? undefined : theirsMs;
  });
}

async function askDatabase(address: PostgresAddress, { clock, signal }: Ask): Promise<Reading | undefined> {
  try {
    await using connection = await openConnection({ ...address, purpose: 'doctor', signal });
    const sql = 'SELECT (EXTRACT(epoch FROM pg_catalog.clock_timestamp()) * 1000)::float8 AS ms';
    return await timed(
      clock,
      async () => (await connection.rows<{ ms: number }>('ask the time', sql))[0]?.ms,
    );
  } catch {
    return undefined; // told where it is read
  }
}
