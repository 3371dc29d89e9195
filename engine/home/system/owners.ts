import { readFileSync } from 'node:fs';

/** Names of owners at backup time, for a restore by name. */
export interface OwnerNames {
  readonly users: ReadonlyMap<number, string>;
  readonly groups: ReadonlyMap<number, string>;
}

/** The names that this machine gives to numbers. Users of a directory service are kept by number alone. */
export function ownerNames({
  uids,
  gids,
}: {
  uids: ReadonlySet<number>;
  gids: ReadonlySet<number>;
}): OwnerNames {
  return { users: namesFrom('/etc/passwd', uids), groups: namesFrom('/etc/group', gids) };
}

function namesFrom(file: string, wanted: ReadonlySet<number>): Map<number, string> {
  const names = new Map<number, string>();
  for (const { name, number } of linesOf(file)) {
    if (wanted.has(number) && !names.has(number)) names.set(number, name);
  }
  return names;
}

/** Both files have lines of `name:…:number:…`. */
function* linesOf(file: string): Generator<{ name: string; number: number }> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return; // a machine without the file has no names to give
  }
  for (const line of text.split('\n')) {
    const [name, , number] = line.split(':');
    if (name && number) yield { name, number: Number(number) };
  }
}

/** The numbers that this machine gives to the names of another one, by the other one's numbers. */
export function ownerNumbers(names: OwnerNames): { users: Map<number, number>; groups: Map<number, number> } {
  return {
    users: numbersFrom('/etc/passwd', names.users),
    groups: numbersFrom('/etc/group', names.groups),
  };
}

function numbersFrom(file: string, names: ReadonlyMap<number, string>): Map<number, number> {
  const here = new Map([...linesOf(file)].map(({ name, number }) => [name, number]));
  const numbers = new Map<number, number>();
  for (const [number, name] of names) {
    const found = here.get(name);
    if (found !== undefined) numbers.set(number, found);
  }
  return numbers;
}
