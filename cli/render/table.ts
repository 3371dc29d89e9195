import Table from 'cli-table3';

/** A plain table for people: no lines, two spaces between columns. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const none = [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
  ];
  const inner = ['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'];
  const chars = Object.fromEntries([...none, ...inner].map(name => [name, '']));
  const made = new Table({
    head: [...head],
    chars: { ...chars, middle: '  ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  made.push(...rows.map(row => [...row]));
  return made.toString().replace(/ +$/gm, '');
}
