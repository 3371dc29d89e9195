const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const;

/** Sizes in binary units: 1.5 MiB. Without Node's tables of languages, as all here: to load them takes longer than a short command has. */
export function size(bytes: number): string {
  let value = Math.abs(bytes);
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${bytes < 0 ? '-' : ''}${Math.round(value * 10) / 10} ${units[unit]}`;
}

/** Whole numbers: 100,000. */
export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `file`/`files` after its number. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** 87 ms, 4.2 s, 3 min 20 s. */
export function duration(ms: number): string {
  if (ms < 1000) return `${ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Local time with its offset: 2026-11-21 14:03:09 +01:00. */
export function localTime(ms: number): string {
  const offsetMinutes = -new Date(ms).getTimezoneOffset();
  const shifted = new Date(ms + offsetMinutes * 60_000).toISOString();
  const pad = (value: number) => String(value).padStart(2, '0');
  const sign = offsetMinutes < 0 ? '-' : '+';
  const distance = Math.abs(offsetMinutes);
  return `${shifted.slice(0, 10)} ${shifted.slice(11, 19)} ${sign}${pad(Math.floor(distance / 60))}:${pad(distance % 60)}`;
}

/** RFC 3339 UTC, for JSON. */
export function utcTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** RFC 3339 UTC with nanoseconds. */
export function utcTimeNs(ns: bigint): string {
  const fraction = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = Number((ns - fraction) / 1_000_000_000n);
  return `${new Date(seconds * 1000).toISOString().slice(0, -5)}.${String(fraction).padStart(9, '0')}Z`;
}
