import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A part of a fixture that stands alone. */
export interface Section {
  readonly name: string;
  readonly sql: string;
  /** Makes the original equal to what comes back, where something is not written down on purpose; '' where all is. */
  readonly lost: string;
  /** The first major version that takes it. */
  readonly since: number;
  /** The reader of the catalogs refuses it by name. */
  readonly isRefused: boolean;
}

export const fixtures = ['every', 'forge', 'wiki', 'pgbench'] as const;
export type Fixture = (typeof fixtures)[number];

/** From `dist/` or from the sources. */
const folder = [
  new URL('./schemas/', import.meta.url),
  new URL('../../../bench/matrix/schemas/', import.meta.url),
];

/** The sections of a fixture that a server takes, in their order. */
export function sectionsOf(
  fixture: Fixture,
  server: { readonly major: number; readonly hasIcu: boolean },
): Section[] {
  const text = readSchema(`${fixture}.sql`);
  return text
    .split(/^-- @ section /m)
    .slice(1)
    .map(parseSection)
    .filter(({ section, needsIcu }) => section.since <= server.major && (!needsIcu || server.hasIcu))
    .map(({ section }) => section);
}

function readSchema(name: string): string {
  for (const one of folder) {
    try {
      return readFileSync(join(fileURLToPath(one), name), 'utf8');
    } catch {
      // not here: the other
    }
  }
  throw new Error(`Cannot find ${name}`);
}

function parseSection(text: string): { readonly section: Section; readonly needsIcu: boolean } {
  const end = text.indexOf('\n');
  const [name = '', ...options] = text.slice(0, end).split(' ');
  const given = new Map(options.map(one => one.split('=') as [string, string]));
  const [sql = '', lost = ''] = text.slice(end).split(/^-- @ lost\n/m);
  return {
    section: {
      name,
      sql,
      lost,
      since: Number(given.get('since') ?? 14),
      isRefused: given.get('reader') === 'refuses',
    },
    needsIcu: given.get('icu') === 'true',
  };
}
