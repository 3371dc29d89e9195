import { append } from './multimap.ts';

/** One privilege as aclexplode tells it; names as SQL writes them, PUBLIC among them. */
export interface Privilege {
  readonly grantor: string;
  readonly grantee: string;
  readonly privilege: string;
  readonly isGrantable: boolean;
}

export interface AclTarget {
  readonly owner: string;
  /** What stands between the privileges and the grantee: `ON TABLE public.project`. */
  readonly on: string;
  /** A column, for grants on columns. */
  readonly column?: string | undefined;
}

/** The statements that lead from one list of privileges, the one a new object has, to another. */
export function grantStatements(
  target: AclTarget,
  lists: { readonly from: readonly Privilege[]; readonly to: readonly Privilege[] },
): string[] {
  const { from, to } = lists;
  const revoked = from.filter(old => !to.some(one => isSame(one, old)));
  const granted = to.filter(
    one => !from.some(old => isSame(one, old) && old.isGrantable === one.isGrantable),
  );
  return [
    ...grouped(revoked, target.owner).map(group => statement(target, group, 'revoke')),
    ...grouped(granted, target.owner).map(group => statement(target, group, 'grant')),
  ];
}

function isSame(a: Privilege, b: Privilege): boolean {
  return a.grantor === b.grantor && a.grantee === b.grantee && a.privilege === b.privilege;
}

/** In the order of the list, which is that of the grants, but nobody grants on before it was granted to them. */
function grouped(privileges: readonly Privilege[], owner: string): Privilege[][] {
  const groups = new Map<string, Privilege[]>();
  for (const one of privileges) {
    // Privileges that were granted on may have come by different ways, so each has its own statement.
    const apart = one.grantor === owner ? '' : one.privilege;
    append(groups, [one.grantor, one.grantee, one.isGrantable, apart].join('\0'), one);
  }
  const waiting = [...groups.values()];
  const holders = new Set<string>();
  const ordered: Privilege[][] = [];
  while (waiting.length > 0) {
    const ready = waiting.findIndex(list =>
      list.every(({ grantor, privilege }) => grantor === owner || holders.has(`${grantor}\0${privilege}`)),
    );
    const [group] = waiting.splice(Math.max(ready, 0), 1);
    ordered.push(group!);
    for (const { grantee, privilege, isGrantable } of group!)
      if (isGrantable) holders.add(`${grantee}\0${privilege}`);
  }
  return ordered;
}

function statement(
  { owner, on, column }: AclTarget,
  group: readonly Privilege[],
  verb: 'grant' | 'revoke',
): string {
  const { grantor, grantee, isGrantable } = group[0]!;
  const list = group
    .map(({ privilege }) => (column === undefined ? privilege : `${privilege} (${column})`))
    .join(', ');
  const core =
    verb === 'revoke'
      ? `REVOKE ${list} ${on} FROM ${grantee}`
      : `GRANT ${list} ${on} TO ${grantee}${isGrantable ? ' WITH GRANT OPTION' : ''}`;
  // A grant is its grantor's: whoever else runs this would become one, or be refused.
  return grantor === owner
    ? core
    : `SET SESSION AUTHORIZATION ${grantor};\n${core};\nRESET SESSION AUTHORIZATION`;
}
