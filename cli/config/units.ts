const durationUnits: Record<string, number> = {
  ms: 1,
  s: 1e3,
  m: 60e3,
  h: 3600e3,
  d: 86400e3,
  w: 7 * 86400e3,
};
const sizeUnits: Record<string, number> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** `90s`, `5m`, `26h`, `7d` in ms; undefined when it is no duration. */
export function parseDuration(text: string): number | undefined {
  return parseUnits(text, durationUnits);
}

/** `64MiB`, `1GiB`, `512B` in bytes; undefined when it is no size. */
export function parseSize(text: string): number | undefined {
  return parseUnits(text, sizeUnits);
}

function parseUnits(text: string, units: Record<string, number>): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,6})?)([A-Za-z]+)$/.exec(text);
  const factor = units[match?.[2] ?? ''];
  return match && factor !== undefined ? Math.round(Number(match[1]) * factor) : undefined;
}
