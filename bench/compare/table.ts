import { type Judged, judge, median, ourName, type Step, type WorkloadResult } from './result.ts';

const header = ['Work', 'stillpoint', 'beside it', 'target', 'reached'];

/** The results as a Markdown table: a row for each piece of work, medians over the rounds. */
export function tableOf(results: readonly WorkloadResult[]): string {
  const rows = results.flatMap(({ workload, steps }) =>
    steps.map(step => {
      const judged = judge(step);
      const others = Object.entries(step.runs).filter(([name]) => name !== ourName);
      return [
        `${workload}: ${step.name}`,
        shown(median(step.runs[ourName] ?? Object.values(step.runs)[0]!), step),
        others.map(([name, runs]) => `${name} ${shown(median(runs), step)}`).join(', ') || '–',
        judged.map(one => targetOf(one, step)).join(', ') || '–',
        judged.map(one => reachedOf(one, step)).join(', ') || '–',
      ];
    }),
  );
  return [header, header.map(() => '---'), ...rows].map(row => `| ${row.join(' | ')} |`).join('\n');
}

function targetOf({ target }: Judged, step: Step): string {
  switch (target.kind) {
    case 'at-most':
      return `≤ ${shown(target.value, step)}`;
    case 'times-better':
      return `≥ ${trimmed(target.factor)}× ${target.than}`;
    case 'grows-at-most':
      return `${target.of} ≤ ${trimmed(target.factor)}× ${target.than}`;
    case 'more-at-most':
      return `${target.of} ≤ ${target.than} + ${shown(target.value, step)}`;
    default:
      return target satisfies never;
  }
}

function reachedOf({ target, reached, isMet }: Judged, step: Step): string {
  const isValue = target.kind === 'at-most' || target.kind === 'more-at-most';
  const what = isValue ? shown(reached, step) : `${trimmed(reached)}×`;
  return isMet ? what : `**${what}**, missed`;
}

const trimmed = (number: number): string =>
  number >= 100 ? number.toFixed(0) : number.toFixed(2).replace(/\.?0+$/, '');

/** A value in its unit. */
export function shown(value: number, { unit }: Pick<Step, 'unit'>): string {
  switch (unit) {
    case 'seconds':
      return `${value.toFixed(2)} s`;
    case 'bytes':
      return `${(value / 1e6).toFixed(1)} MB`;
    case 'share':
      return `${value.toFixed(1)} %`;
    case 'milliseconds':
      return `${value.toFixed(0)} ms`;
    default:
      return unit satisfies never;
  }
}
