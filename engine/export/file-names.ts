import type { RelationName } from '../database/postgres/entries/entry-parts.ts';

const shownMax = 60;

/** A file name for each table, which any file system takes: numbered, so that none is like another. */
export function fileNames<T extends RelationName>(tables: readonly T[], ending: string): Map<T, string> {
  const digits = Math.max(4, String(tables.length).length);
  return new Map(
    tables.map((table, i) => {
      const shown = `${table.schema}.${table.name}`.replace(/[^A-Za-z0-9._-]+/g, '_').slice(0, shownMax);
      return [table, `${String(i + 1).padStart(digits, '0')}-${shown}.${ending}`];
    }),
  );
}
