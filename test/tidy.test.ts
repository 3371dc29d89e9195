import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from './helpers/project.ts';
import { mutants } from './mutants/all.ts';
import { mutate } from './mutants/mutant.ts';

/** Who may import whom, by top folder, and only through doors. */
const mayImport: Record<string, readonly string[]> = {
  chunker: [],
  store: ['chunker'],
  engine: ['store', 'chunker'],
  cli: ['engine', 'store'],
  bench: ['cli', 'engine', 'store', 'chunker'],
  test: ['bench', 'cli', 'engine', 'store', 'chunker'],
};

/** Who may import whom among the rooms of engine/home. */
const homeRooms: Record<string, readonly string[]> = {
  system: [],
  entries: ['system'],
  rules: [],
  rows: ['system', 'entries', 'rules'],
  steady: ['system', 'rules', 'rows'],
  walk: ['system', 'entries', 'rules', 'rows', 'steady'],
  'git-packs': ['system', 'rows'],
  capture: ['system', 'entries', 'rules', 'rows', 'steady', 'walk', 'git-packs'],
  restore: ['system', 'entries'],
};
/** Files of engine/home itself that its rooms import. */
const homeWords = ['paths.ts', 'pace.ts', 'types.ts'];

/** Programs of their own may look behind a door; tests test what is inside. */
const looksBehindDoors = new Set(['test', 'bench']);

interface Banned {
  readonly what: string;
  readonly pattern: RegExp;
  readonly allowed: (file: string) => boolean;
}

const isShipped = (file: string) => /^(chunker|store|engine|cli)\//.test(file);

const banned: readonly Banned[] = [
  {
    what: 'time outside the clock seam',
    pattern: /\bDate\.now\(|new Date\(\)|performance\.now\(/,
    allowed: file => file === 'store/seams.ts' || !isShipped(file),
  },
  {
    what: 'randomness outside the seam',
    pattern: /Math\.random\(|\brandomBytes\(|randomUUID\(/,
    allowed: file => file === 'store/seams.ts' || !isShipped(file),
  },
  {
    what: 'printing outside cli',
    pattern: /\bconsole\.|process\.stdout|process\.stderr/,
    allowed: file => !isShipped(file) || file.startsWith('cli/') || file.endsWith('-main.ts'),
  },
  {
    what: 'ending the process outside cli',
    pattern: /process\.exit\b/,
    allowed: file => !isShipped(file) || file.startsWith('cli/') || file.endsWith('-main.ts'),
  },
  { what: 'a loose type', pattern: /\bas any\b|: any\b|@ts-ignore|@ts-nocheck/, allowed: () => false },
  { what: 'a default export', pattern: /^export default /m, allowed: () => false },
  { what: 'a star export', pattern: /^export \* /m, allowed: () => false },
  { what: 'a parent class other than Error', pattern: /class \w+ extends (?!Error\b)/, allowed: () => false },
  {
    what: 'something left open',
    pattern: /\b(TODO|FIXME|XXX|HACK)\b/,
    allowed: file => file === 'test/tidy.test.ts',
  },
  {
    what: 'a test that is switched off or alone',
    pattern: /\b(test|describe|it)\.(only|todo)\(/,
    allowed: file => file === 'test/tidy.test.ts',
  },
];

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts'], {
  cwd: projectRoot,
  encoding: 'utf8',
})
  .split('\n')
  .filter(file => file !== '');

const importPattern = /(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g;

test('imports run one way, through doors', () => {
  const wrong: string[] = [];
  for (const file of files) {
    const from = file.split('/')[0] ?? '';
    for (const [, specifier] of readFileSync(join(projectRoot, file), 'utf8').matchAll(importPattern)) {
      const target = normalize(join(dirname(file), specifier ?? ''));
      const to = target.split('/')[0] ?? '';
      if (from === to || target === 'package.json') continue;
      const isAllowed = mayImport[from]?.includes(to) ?? false;
      const isDoor = target === `${to}/index.ts` || looksBehindDoors.has(from);
      if (!isAllowed || !isDoor) wrong.push(`${file} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('rooms of the home import one way, and those that have a door through it', () => {
  const wrong: string[] = [];
  const home = 'engine/home/';
  const roomOf = (file: string) =>
    file.startsWith(home) ? file.slice(home.length).split('/')[0]! : undefined;
  for (const file of files) {
    const from = roomOf(file);
    for (const [, specifier] of readFileSync(join(projectRoot, file), 'utf8').matchAll(importPattern)) {
      const target = normalize(join(dirname(file), specifier ?? ''));
      const to = roomOf(target);
      if (!file.startsWith('engine/') || to === undefined || from === to) continue;
      const isRoom = homeRooms[to] !== undefined;
      const door = `${home}${to}/index.ts`;
      const isDoor = !isRoom || target === door || !files.includes(door);
      const mayEnter =
        from === undefined || !homeRooms[from] || (isRoom ? homeRooms[from] : homeWords).includes(to);
      if (!isDoor || !mayEnter) wrong.push(`${file} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
  const rooms = files.map(roomOf).filter(room => room !== undefined && !room.endsWith('.ts'));
  assert.deepEqual([...new Set(rooms)].sort(), Object.keys(homeRooms).sort());
});

/** Circles of files, following what this finds in the text of each. */
function cyclesOf(
  among: readonly string[],
  importsIn: (text: string) => Iterable<RegExpMatchArray>,
): string[] {
  const edges = new Map<string, string[]>();
  for (const file of among) {
    const found = [...importsIn(readFileSync(join(projectRoot, file), 'utf8'))];
    edges.set(
      file,
      found.map(([, specifier]) => normalize(join(dirname(file), specifier ?? ''))),
    );
  }
  const state = new Map<string, 'open' | 'done'>();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      return;
    }
    state.set(file, 'open');
    for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of among) visit(file, []);
  return cycles;
}

const boundPattern = /^(?:import|export)[^;]*?from '(\.{1,2}\/[^']+)'/gm;

test('no import cycle within a top folder', () => {
  const cycles = cyclesOf(files, text =>
    text.replace(/^(import|export) type [^;]*;/gm, '').matchAll(boundPattern),
  );
  assert.deepEqual(cycles, []);
});

/** Where types still go in a circle; what is mended stays so. */
const hasTypeCycles = /^(store|engine\/(?!home\/))/;

test('elsewhere not even types are imported in a circle', () => {
  const cycles = cyclesOf(
    files.filter(file => !hasTypeCycles.test(file)),
    text => text.matchAll(boundPattern),
  );
  assert.deepEqual(cycles, []);
});

for (const rule of banned) {
  test(`nowhere ${rule.what}`, () => {
    const found: string[] = [];
    for (const file of files) {
      if (rule.allowed(file) || file === 'test/tidy.test.ts') continue;
      const lines = readFileSync(join(projectRoot, file), 'utf8').split('\n');
      lines.forEach((line, index) => {
        if (rule.pattern.test(line)) found.push(`${file}:${index + 1}: ${line.trim()}`);
      });
    }
    assert.deepEqual(found, []);
  });
}

test('every file in the repository speaks of the product alone', () => {
  const tracked = execFileSync('git', ['ls-files'], { cwd: projectRoot, encoding: 'utf8' }).split('\n');
  const found: string[] = [];
  for (const file of tracked) {
    if (
      !/\.(ts|md|json|ya?ml|sh)$/.test(file) ||
      file === 'package-lock.json' ||
      file === 'test/tidy.test.ts'
    )
      continue;
    const text = readFileSync(join(projectRoot, file), 'utf8');
    if (/\bissue #?\d|\/work\/|\/root\/(?!$)|\.library/i.test(text)) found.push(relative('.', file));
  }
  assert.deepEqual(found, []);
});

test('every mutant fits the code as it is, and what catches it is there; one that does not is refused', () => {
  for (const mutant of mutants) {
    assert.ok(Object.keys(mutate(mutant)).length > 0);
    if (mutant.caughtBy === 'schedules') continue;
    for (const file of mutant.caughtBy) {
      const source = file.replace(/\.js$/, '.ts');
      assert.ok(
        existsSync(join(projectRoot, source)),
        `${mutant.name} is caught by ${source}, which is not there`,
      );
    }
  }
  const patches = [{ file: 'store/forget.js', find: 'no such text', replace: '' }];
  assert.throws(() => mutate({ name: 'stale', patches }), /0 times/);
});
