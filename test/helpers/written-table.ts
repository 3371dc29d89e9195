/** A table in a document that a command writes, between two comments; what stands around it is kept by hand. */
export interface TablePlace {
  /** Stands above the table. */
  readonly begin: string;
  /** Stands below it. */
  readonly end: string;
}

/** The cells of each row, without those of the head. */
export function readTable(text: string, { begin, end }: TablePlace): string[][] {
  const [, after = ''] = text.split(begin);
  const [table = ''] = after.split(end);
  const rows = table.split('\n').filter(line => line.startsWith('| '));
  return rows.slice(1).map(line =>
    line
      .split('|')
      .slice(1, -1)
      .map(cell => cell.trim()),
  );
}

/** The document with this table in the place of the one that is there; at its end where there is none. */
export function withWrittenTable(
  text: string,
  table: TablePlace & { readonly columns: readonly string[]; readonly rows: readonly (readonly string[])[] },
): string {
  const { begin, end, columns, rows } = table;
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const lines = [line(columns), `|${columns.map(() => '---').join('|')}|`, ...rows.map(line)];
  const [before = '', after = ''] = text.split(begin);
  const [, byHand = ''] = after.split(end);
  return `${before}${begin}\n\n${lines.join('\n')}\n\n${end}${byHand}`;
}
