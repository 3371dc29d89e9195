const unitsMs: Record<string, number> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86400e3, w: 7 * 86400e3 };

/** `90s`, `5m`, `26h`, `7d` in ms; undefined when it is no duration. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,6})?)([a-z]+)$/.exec(text);
  const unitMs = unitsMs[match?.[2] ?? ''];
  return match && unitMs !== undefined ? Math.round(Number(match[1]) * unitMs) : undefined;
}

/** As it would be written: in the largest unit up to days that leaves no fraction. */
export function formatDuration(durationMs: number): string {
  const unit = ['d', 'h', 'm', 's'].find(name => durationMs % (unitsMs[name] ?? 1) === 0) ?? 'ms';
  return `${durationMs / (unitsMs[unit] ?? 1)}${unit}`;
}
