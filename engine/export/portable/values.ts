import type { NeutralType } from './types.ts';

/** How a value is written where that is not how PostgreSQL writes it. Short values only: they come whole. */
export type WriteValue = (text: string) => string;

/** Undefined: as it is. Binary is not among them, since it may be long. */
export function valueWriter({ type }: NeutralType): WriteValue | undefined {
  switch (type) {
    case 'boolean':
      return text => (text === 't' ? 'true' : text === 'f' ? 'false' : text);
    case 'date':
    case 'timestamp':
    case 'timestamp with time zone':
      return isoTime;
    case 'time with time zone':
      return text => text.replace(/([+-]\d\d)$/, '$1:00');
    default:
      return undefined;
  }
}

const written =
  /^(\d{4,})-(\d\d-\d\d)(?: (\d\d:\d\d:\d\d(?:\.\d+)?)(?:([+-]\d\d)(:\d\d(?::\d\d)?)?)?)?( BC)?$/;

/** ISO 8601, also for years before the first and of more than four digits; `infinity` and `-infinity` stay. */
function isoTime(text: string): string {
  const [, year, day, time, hours, minutes = ':00', isBefore] = written.exec(text) ?? [];
  if (year === undefined) return text;
  const zone = hours === undefined ? '' : hours === '+00' && minutes === ':00' ? 'Z' : `${hours}${minutes}`;
  return `${isoYear(year, isBefore !== undefined)}-${day}${time === undefined ? '' : `T${time}${zone}`}`;
}

/** ISO counts the year before 1 as 0. */
function isoYear(year: string, isBefore: boolean): string {
  if (!isBefore) return year.length > 4 ? `+${year}` : year;
  const number = Number(year) - 1;
  return number === 0 ? '0000' : `-${String(number).padStart(4, '0')}`;
}
