import type { NamedDamage, SnapshotLoss } from '../../engine/index.ts';
import { oneLine } from './output.ts';
import { counted } from './quantities.ts';

/** What scripts get: one list of names. */
export function damageJson({
  lost: _lost,
  unnamed: _unnamed,
  ...damage
}: NamedDamage): Record<string, unknown> {
  return damage;
}

/** A damaged object, what is lost with it by snapshot and repository, and what it means. */
export function describeDamage({ kind, object, state, remedy, lost, unnamed }: NamedDamage): string[] {
  return [
    `damaged ${kind} ${object}: ${oneLine(state)}`,
    ...grouped(lost).flatMap(describeGroup),
    ...(unnamed > 0 ? [`  and ${counted(unnamed, 'more name')}`] : []),
    ...(remedy === undefined ? [] : [`  ${remedy}`]),
  ];
}

/** Damage that a repair has noted as harmless. */
export function describeKnown({ kind, object, remedy = '' }: NamedDamage): string {
  return `known   ${kind} ${object}: damaged, and harmless. ${remedy}`.trimEnd();
}

interface Group extends Pick<SnapshotLoss, 'parts'> {
  readonly snapshots: string[];
}

/** Snapshots that lack the same are told together: a file that lay still for a year is in all of them. */
function grouped(lost: readonly SnapshotLoss[]): Group[] {
  const groups = new Map<string, Group>();
  for (const { snapshot, parts } of lost) {
    const key = JSON.stringify(parts);
    const group = groups.get(key) ?? { snapshots: [], parts };
    group.snapshots.push(snapshot);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function describeGroup({ snapshots, parts }: Group): string[] {
  const colon = parts.length > 0 ? ':' : '';
  return [
    `  affects ${snapshots.map(oneLine).join(', ')}${colon}`,
    ...parts.flatMap(({ repository, names }) => {
      const depth = repository === undefined ? '    ' : '      ';
      return [
        ...(repository === undefined ? [] : [`    ${oneLine(repository)}`]),
        ...names.map(name => `${depth}${oneLine(name)}`),
      ];
    }),
  ];
}
