/** A unit file as systemd reads it: a later line adds to a list or replaces a value, an empty one begins anew. */
export class UnitFile {
  readonly name: string;
  readonly #settings = new Map<string, string[]>();

  constructor(name: string, texts: readonly string[]) {
    this.name = name;
    for (const text of texts) this.#read(text);
  }

  /** `Service.ExecStart`, every line of it. */
  all(setting: string): readonly string[] {
    return this.#settings.get(setting) ?? [];
  }

  /** The one that counts where there can be only one. */
  last(setting: string): string | undefined {
    return this.all(setting).at(-1);
  }

  #read(text: string): void {
    let section = '';
    for (const line of text.replace(/\\\n/g, ' ').split('\n')) {
      const plain = line.trim();
      if (plain === '' || /^[#;]/.test(plain)) continue;
      const head = /^\[(.+)\]$/.exec(plain);
      if (head) {
        section = head[1] ?? '';
        continue;
      }
      const equals = plain.indexOf('=');
      if (equals < 0) continue;
      const key = `${section}.${plain.slice(0, equals).trim()}`;
      const value = plain.slice(equals + 1).trim();
      if (value === '') this.#settings.delete(key);
      else this.#settings.set(key, [...this.all(key), value]);
    }
  }
}

/** Variables of `Environment=`, which may hold several, in quotes or not. */
export function environmentOf(unit: UnitFile): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  for (const line of unit.all('Service.Environment')) {
    for (const [, quoted, single, bare] of line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)) {
      const pair = quoted ?? single ?? bare ?? '';
      const equals = pair.indexOf('=');
      if (equals > 0) variables.set(pair.slice(0, equals), pair.slice(equals + 1));
    }
  }
  return variables;
}

const unitsMs: Readonly<Record<string, number>> = {
  ...{ ms: 1, msec: 1, s: 1e3, sec: 1e3, second: 1e3, seconds: 1e3, m: 60e3, min: 60e3, minute: 60e3 },
  ...{ minutes: 60e3, h: 3600e3, hr: 3600e3, hour: 3600e3, hours: 3600e3, '': 1e3 },
};

/** `90`, `2min 30s`, `infinity`; undefined: it is none. */
export function timeSpanMs(text: string): number | undefined {
  if (text === 'infinity' || text === '0') return Number.POSITIVE_INFINITY;
  let totalMs = 0;
  for (const part of text.trim().split(/(?<=[a-z])\s*(?=\d)/)) {
    const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/.exec(part);
    const unitMs = unitsMs[match?.[2] ?? '-'];
    if (!match || unitMs === undefined) return undefined;
    totalMs += Number(match[1]) * unitMs;
  }
  return totalMs;
}
