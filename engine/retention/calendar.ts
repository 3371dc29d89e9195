/** The names of the stretches of local time that an instant lies in. Equal names mean the same stretch. */
export interface Stretches {
  /** `2026-10-25 02:00 +02:00`: the offset tells apart the two hours of one name when clocks go back. */
  readonly hour: string;
  /** `2026-10-25`, of 23, 24 or 25 hours. */
  readonly day: string;
  /** `2026-W43`, by ISO 8601: from Monday, and the year is that of its Thursday. */
  readonly week: string;
  readonly month: string;
  readonly year: string;
}

const dayMs = 86_400_000;

/** True for a name like Europe/Berlin that this machine knows the rules of. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false; // some versions of Node take +02:00, others do not
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false; // RangeError is its only answer to a name
  }
}

/** The name of the time zone that this machine is set to; UTC where it has none that is in the tables. */
export function localTimeZone(): string {
  const name: string | undefined = new Intl.DateTimeFormat('en').resolvedOptions().timeZone; // TZ=UTC+3: undefined
  return name !== undefined && isTimeZone(name) ? name : 'UTC';
}

/** Tells what an instant, ms since 1970 UTC, is called in a time zone that is one. */
export function calendarIn(timeZone: string): (ms: number) => Stretches {
  const format = new Intl.DateTimeFormat('en-u-ca-iso8601-nu-latn', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'longOffset',
  });
  return ms => {
    const parts = new Map(format.formatToParts(ms).map(({ type, value }) => [type, value]));
    const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? '';
    const year = part('year').padStart(4, '0');
    const month = `${year}-${part('month')}`;
    const day = `${month}-${part('day')}`;
    const offset = part('timeZoneName').replace(/^GMT/, '') || '+00:00';
    return {
      hour: `${day} ${part('hour')}:00 ${offset}`,
      day,
      week: isoWeek(Number(year), Number(part('month')), Number(part('day'))),
      month,
      year,
    };
  };
}

function isoWeek(year: number, month: number, day: number): string {
  const midnightMs = Date.UTC(year, month - 1, day);
  const daysSinceMonday = (new Date(midnightMs).getUTCDay() + 6) % 7;
  const thursdayMs = midnightMs + (3 - daysSinceMonday) * dayMs;
  const weekYear = new Date(thursdayMs).getUTCFullYear();
  const week = 1 + Math.floor((thursdayMs - Date.UTC(weekYear, 0, 1)) / (7 * dayMs));
  return `${weekYear}-W${String(week).padStart(2, '0')}`;
}
