import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { generatedDocs } from '../bench/docs/index.ts';
import { describeProgram } from '../cli/program/index.ts';
import { projectRoot } from './helpers/project.ts';

/** The documents whose every path, command, option, variable and code must be real. */
const documents = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'DECISIONS.md',
  'SECURITY.md',
  'CHANGELOG.md',
  'store/FORMAT.md',
  'engine/FORMAT.md',
  'docs/reference.md',
  'docs/applications.md',
  'docs/dump-commands.md',
  'docs/hooks.md',
  'docs/internal-databases.md',
  'docs/export.md',
  'docs/postgresql.md',
  'docs/retention.md',
  'docs/systemd/README.md',
];

const read = (file: string) => readFileSync(join(projectRoot, file), 'utf8');
const packageFile = JSON.parse(read('package.json')) as {
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};
const commands = describeProgram();

/** What stands between back-ticks, and the lines of shell examples. */
function codeOf(text: string): string[] {
  const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) =>
    (block ?? '').split('\n'),
  );
  const inline = [...text.replace(/```[\s\S]*?```/g, '').matchAll(/`([^`\n]+)`/g)].map(
    ([, code]) => code ?? '',
  );
  return [...blocks, ...inline].map(code => code.trim()).filter(code => code !== '');
}

const folders = /^(\.ci|bench|chunker|cli|engine|store|test)\//;

/** In FORMAT.md only what ends like a file is one: labels and names of objects look like folders. */
function pathProblem(file: string, code: string): string | undefined {
  const path = code.split(/[\s:#]/)[0] ?? '';
  const isRootFile = /^[A-Z][A-Z-]+\.md$|^(package|tsconfig|biome|knip)\.json$/.test(path);
  if (!isRootFile && !folders.test(path)) return undefined;
  if (/[<>{}…]/.test(path)) return undefined;
  if (file.endsWith('FORMAT.md') && !/\.[a-z]+$/.test(path)) return undefined;
  const target = join(projectRoot, path.replace(/\*.*$/, ''));
  return existsSync(target) ? undefined : `${file}: ${path} is not there`;
}

function commandProblem(file: string, code: string): string[] {
  const match = /(?:^|\s)(?:npx )?stillpoint ([a-z]+)(.*)$/.exec(code);
  if (!match) return [];
  const [, name = '', rest = ''] = match;
  if (name === 'help') return [];
  const options = commands.get(name);
  if (!options) return [`${file}: there is no command ${name}`];
  return [...rest.matchAll(/(?<![\w-])(--[a-z][a-z-]*|-[a-z])(?![\w-])/g)]
    .map(([, option]) => option ?? '')
    .filter(option => !options.has(option))
    .map(option => `${file}: ${name} has no option ${option}`);
}

function scriptProblem(file: string, code: string): string[] {
  return [...code.matchAll(/npm run ([a-z:-]+)/g)]
    .map(([, script]) => script ?? '')
    .filter(script => !(script in packageFile.scripts))
    .map(script => `${file}: there is no npm script ${script}`);
}

const sources = ['store/errors.ts', 'engine/errors.ts'].map(read).join('\n');
/** Variables that are read in cli, or given to commands by the engine; what is said of itself is no proof. */
const shippedText = ['cli', 'engine']
  .flatMap(folder =>
    readdirSync(join(projectRoot, folder), { recursive: true, encoding: 'utf8' })
      .filter(file => file.endsWith('.ts') && !file.startsWith('program/'))
      .map(file => read(join(folder, file))),
  )
  .join('\n');

function nameProblem(file: string, code: string): string | undefined {
  if (/^(STORE|SNAPSHOT|HOME|DATABASE|APP|LATCH|TARGET|RESTORE|CONFIG|RUN|TOOL)_[A-Z_]+$/.test(code)) {
    return sources.includes(`'${code}'`) ? undefined : `${file}: there is no code ${code}`;
  }
  if (/^STILLPOINT_[A-Z_]+$/.test(code)) {
    return new RegExp(`\\b${code}\\b`).test(shippedText)
      ? undefined
      : `${file}: there is no variable ${code}`;
  }
  return undefined;
}

for (const file of documents) {
  test(`${file} names only what exists`, () => {
    const problems = codeOf(read(file)).flatMap(code => [
      ...[pathProblem(file, code), nameProblem(file, code)].filter(problem => problem !== undefined),
      ...commandProblem(file, code),
      ...scriptProblem(file, code),
    ]);
    assert.deepEqual(problems, []);
  });
}

for (const [name, text] of generatedDocs()) {
  test(`docs/${name} is what the program says of itself: else run npm run docs`, () => {
    assert.equal(read(join('docs', name)), text);
  });
}

test('every test that SECURITY.md names is there, in the file that it names', () => {
  const text = read('SECURITY.md').replace(/\s+/g, ' ');
  let file = '';
  let named = 0;
  for (const [, path, title] of text.matchAll(/`(test\/[\w./-]+\.test\.ts)`|(?<=[(:;] ?)\*([^*]{20,})\*/g)) {
    if (path !== undefined) file = path;
    else {
      assert.ok(read(file).includes(`test('${title}'`), `${file}: ${title}`);
      named += 1;
    }
  }
  assert.ok(named >= 10, String(named));
});

test('every command is in the README, with each of its options', () => {
  const readme = read('README.md');
  const missing: string[] = [];
  for (const [name, options] of commands) {
    if (!readme.includes(`stillpoint ${name}`)) missing.push(name);
    for (const option of options) {
      if (option.startsWith('--') && !readme.includes(option)) missing.push(`${name} ${option}`);
    }
  }
  assert.deepEqual(missing, []);
});

test('every dependency has an entry in DECISIONS.md', () => {
  const decisions = read('DECISIONS.md');
  const { dependencies, optionalDependencies, devDependencies } = packageFile;
  const names = Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies });
  const missing = names.filter(name => !name.startsWith('@types/') && !decisions.includes(name));
  assert.deepEqual(missing, []);
});

test('every dependency is pinned exactly', () => {
  const { dependencies, optionalDependencies, devDependencies } = packageFile;
  const loose = Object.entries({ ...dependencies, ...optionalDependencies, ...devDependencies }).filter(
    ([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
  );
  assert.deepEqual(loose, []);
});

test('an entry of DECISIONS.md has at most 15 lines', () => {
  const long = read('DECISIONS.md')
    .split(/^## /m)
    .slice(1)
    .map(entry => entry.trimEnd().split('\n'))
    .filter(lines => lines.length > 15)
    .map(lines => `${lines[0]}: ${lines.length} lines`);
  assert.deepEqual(long, []);
});
