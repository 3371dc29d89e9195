import assert from 'node:assert/strict';

/** What the program is handed by a line for a shell: of `A=1 stillpoint show x --json | less` that is `show x --json`. */
export function argumentsOf(line: string): string[] {
  const [, words] = /(?:^|[\s(])stillpoint((?: [^\s|>)]+)*)/.exec(line) ?? [];
  assert.ok(words !== undefined && !/['"\\]/.test(line), `no plain call of stillpoint: ${line}`);
  return words.trim().split(' ');
}
