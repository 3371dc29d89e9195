/** Differences for people: of a row that is in both but not the same, what of it changed. */
export function explainDifferences(differences: readonly string[]): string[] {
  const parsed = differences.map(line => ({ line, row: rowOf(line) }));
  return parsed.flatMap(({ line, row }, at) => {
    if (!row) return [line];
    const twin = parsed.findIndex(
      (one, other) =>
        other !== at &&
        one.row?.name === row.name &&
        one.row.catalog === row.catalog &&
        one.row.sign !== row.sign,
    );
    if (twin < 0) return [line];
    if (twin < at) return [];
    const other = parsed[twin]!.row!;
    const changed = Object.keys(row.fields).filter(
      key => JSON.stringify(row.fields[key]) !== JSON.stringify(other.fields[key]),
    );
    return changed.map(
      key =>
        `~ ${row.catalog} ${row.name} ${key}: ${JSON.stringify(row.fields[key])} → ${JSON.stringify(other.fields[key])}`,
    );
  });
}

function rowOf(line: string) {
  const found = /^([-+]) (\w+) (\{.*\})$/s.exec(line);
  if (!found) return null;
  const fields = JSON.parse(found[3]!) as Record<string, unknown>;
  const name = [fields['oid'], fields['attrelid'], fields['attname'], fields['indexrelid']]
    .filter(Boolean)
    .join(' ');
  return { sign: found[1]!, catalog: found[2]!, name, fields };
}
