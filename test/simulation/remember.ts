import type { Patch } from '../mutants/mutant.ts';

/**
 * The same few objects are opened by every party of every schedule, and that was half of the time: here they are opened
 * once. What is remembered is what a pure function gave for the same bytes under the same name, so nothing but the time
 * changes. Of the store's code this is all that a schedule does not play as it is.
 */
export const remembering: readonly Patch[] = [
  patch('store/record.js', {
    find: 'export function openRecord(ring, bytes, expected) {',
    replace: `export function openRecord(ring, bytes, expected) {
    const what = \`record \${expected.kind} \${expected.name} \`;
    return remembered(what, bytes, () => openRecordAnew(ring, bytes, expected));
}
function openRecordAnew(ring, bytes, expected) {`,
  }),
  patch('store/seal/object-seal.js', {
    find: 'function makeSeal(keys, { facts, header, name, secret }) {',
    replace: `function makeSeal(keys, parts) {
    return remembered(\`seal \${parts.name} \`, parts.header, () => makeSealAnew(keys, parts));
}
function makeSealAnew(keys, { facts, header, name, secret }) {`,
  }),
  {
    file: 'store/seal/object-seal.js',
    find: '        open(ordinal, sealed) {',
    replace: `        open(ordinal, sealed) {
            const what = \`part \${name} \${ordinal} \`;
            return remembered(what, sealed, () => this.openAnew(ordinal, sealed)).slice();
        },
        openAnew(ordinal, sealed) {`,
  },
];

function patch(file: string, { find, replace }: Omit<Patch, 'file'>): Patch {
  const up = '../'.repeat(file.split('/').length - 1);
  const line = `import { remembered } from '${up}test/simulation/remember.js';\n`;
  return { file, find, replace: `${line}${replace}` };
}

const answersMax = 4000;
let young = new Map<string, unknown>();
let old = new Map<string, unknown>();

/** What `compute` gave for these bytes before; the last few thousand answers are kept, and those that are asked for again. */
export function remembered<T>(what: string, bytes: Uint8Array, compute: () => T): T {
  const key = what + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const known = young.get(key);
  if (known !== undefined) return known as T;
  const answer = old.get(key) ?? compute();
  if (young.size >= answersMax) {
    old = young;
    young = new Map();
  }
  young.set(key, answer);
  return answer as T;
}
