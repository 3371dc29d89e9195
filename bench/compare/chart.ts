import { median, ourName, type WorkloadResult } from './result.ts';
import { shown } from './table.ts';

const barHeight = 16;
const labelWidth = 150;
const barsWidth = 520;
const valueWidth = 110;
const colours = { ours: '#0b7285', other: '#adb5bd', text: '#212529', spread: '#495057' } as const;

/** A bar chart of one workload as SVG: the median of each with its smallest and largest run, a scale for each piece of work. */
export function chartOf({ workload, steps }: WorkloadResult): string {
  const parts: string[] = [];
  let y = 28;
  for (const step of steps) {
    parts.push(text({ x: 8, y, bold: true }, step.name));
    y += 8;
    const most = Math.max(...Object.values(step.runs).flat(), Number.MIN_VALUE);
    const x = (value: number): number => labelWidth + (value / most) * barsWidth;
    for (const [name, runs] of Object.entries(step.runs)) {
      const middle = median(runs);
      const centre = y + barHeight / 2;
      parts.push(
        text({ x: 16, y: y + barHeight - 4 }, name),
        `<rect x="${labelWidth}" y="${y + 2}" width="${(x(middle) - labelWidth).toFixed(1)}" height="${barHeight - 4}" fill="${name === ourName ? colours.ours : colours.other}"/>`,
        `<line x1="${x(Math.min(...runs)).toFixed(1)}" x2="${x(Math.max(...runs)).toFixed(1)}" y1="${centre}" y2="${centre}" stroke="${colours.spread}"/>`,
        text({ x: labelWidth + barsWidth + 8, y: y + barHeight - 4 }, shown(middle, step)),
      );
      y += barHeight;
    }
    y += 24;
  }
  const width = labelWidth + barsWidth + valueWidth;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" viewBox="0 0 ${width} ${y}" font-family="sans-serif" font-size="12" fill="${colours.text}">`,
    `<title>${escaped(workload)}: medians, smallest and largest run</title>`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function text({ x, y, bold }: { x: number; y: number; bold?: boolean }, content: string): string {
  return `<text x="${x}" y="${y}"${bold ? ' font-weight="bold"' : ''}>${escaped(content)}</text>`;
}

const escaped = (content: string): string =>
  content.replace(/[&<>]/g, sign => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[sign] ?? sign);
