import { readdirSync, writeSync } from 'node:fs';
import { relative } from 'node:path';
import { Transform } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type CaseName, cases, readCase } from './cases.ts';

/** What of the runner's events is read here; each is reported in the order of the tests, a file after the other. */
interface RunnerEvent {
  readonly type: string;
  readonly data: {
    readonly name?: string;
    readonly file?: string;
    readonly line?: number;
    readonly column?: number;
    readonly nesting?: number;
    readonly message?: string;
    readonly skip?: string | boolean;
  };
}

type Result = 'ok' | 'FAILED' | 'skipped';

/** A test that ended. */
interface Told {
  /** Where it stands in its file. */
  readonly at: string;
  readonly name: string;
  readonly file: string;
  readonly result: Result;
}

interface Row {
  readonly name: CaseName;
  /** The exit and its code. */
  readonly ending: string;
  /** Where it ended so: phases, calls, kinds of it. */
  readonly details: string[];
  readonly file: string;
  /** The tests that ended so. */
  readonly tests: string[];
  readonly result: Result;
}

const testFolder = fileURLToPath(new URL('../', import.meta.url));
/** As in `exit 1 APP_REFUSED (lock, drain)`, or `exit 1 DATABASE_FAILED; finish`. */
const endingPattern = /^(exit \d+(?: [A-Z_]+)?)(?:[;,] (.+)| \((.+)\))$/s;
const summaryPattern = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /;

/**
 * A reporter beside Node's `spec`: prints the tests that failed and the table of cases (`cases.ts`), how each ended and
 * the test that says so. Where every test file ran, a case that failed or has no test fails the run. Last come the
 * counts as `# tests 12`, as scripts read them. All of it is written at the exit, for a runner that is told to
 * exit (`--test-force-exit`) does not wait for what its reporters still have to say.
 */
const caseTable = new Transform({
  writableObjectMode: true,
  transform(event: RunnerEvent, _encoding, done) {
    table.note(event);
    done();
  },
});

// Node's runner takes a reporter as the default export alone.
export { caseTable as default };

class CaseTable {
  readonly #rows: Row[] = [];
  readonly #files = new Set<string>();
  readonly #summary: string[] = [];
  readonly #failures: string[] = [];
  /** A test's diagnostics come right behind its result. */
  #last: Told | undefined;

  note({ type, data }: RunnerEvent): void {
    const { name = '', file = '', message = '' } = data;
    const at = `${file}:${data.line}:${data.column}:${data.nesting}`;
    switch (type) {
      case 'test:enqueue':
        if (name === file) this.#files.add(file);
        break;
      case 'test:pass':
        this.#last = { at, name, file, result: isSkipped(data.skip) ? 'skipped' : 'ok' };
        break;
      case 'test:fail':
        this.#last = { at, name, file, result: 'FAILED' };
        this.#failures.push(`${whereIs(file)}:${data.line ?? 0} › ${name}`);
        break;
      case 'test:diagnostic':
        if (file === '' && summaryPattern.test(message)) this.#summary.push(message);
        else if (this.#last?.at === at) this.#tell(message, this.#last);
        break;
      default:
    }
  }

  /** Whether every test file ran and yet a case failed or has no test. */
  get isWanting(): boolean {
    return (
      this.#isWhole && (this.#missing.length > 0 || this.#rows.some(({ result }) => result === 'FAILED'))
    );
  }

  text(): string {
    const rows = this.#rows.map(({ name, ending, details, file, tests, result }) => [
      name,
      result,
      details.length === 0 ? ending : `${ending} (${details.join(', ')})`,
      `${whereIs(file)} › ${tests[0]}${tests.length === 1 ? '' : ` (and ${tests.length - 1} more)`}`,
    ]);
    const missing = this.#isWhole ? this.#missing.map(name => [name, 'MISSING']) : [];
    const all = [...rows, ...missing].sort((a, b) => orderOf(a) - orderOf(b));
    return [
      ...(this.#failures.length > 0 ? ['', 'What failed', '', ...this.#failures] : []),
      ...(all.length > 0 ? ['', 'How each case ended', '', ...columns(all)] : []),
      ...(this.#isWhole ? ['', `${cases.length - missing.length} of ${cases.length} cases have a test`] : []),
      '',
      ...this.#summary.map(line => `# ${line}`),
      '',
    ].join('\n');
  }

  /** Tests of one file that tell the same ending of a case share a row; what follows the code is collected in it. */
  #tell(message: string, { name: test, file, result }: Told): void {
    const told = readCase(message);
    if (!told) return;
    const [, ending = told.ending, plain, inBrackets] = endingPattern.exec(told.ending) ?? [];
    const detail = plain ?? inBrackets;
    const key = [told.name, ending, file, result].join('\n');
    let row = this.#rows.find(
      other => [other.name, other.ending, other.file, other.result].join('\n') === key,
    );
    if (!row) {
      row = { name: told.name, ending, details: [], file, tests: [], result };
      this.#rows.push(row);
    }
    if (detail !== undefined && !row.details.includes(detail)) row.details.push(detail);
    if (!row.tests.includes(test)) row.tests.push(test);
  }

  get #isWhole(): boolean {
    const all = readdirSync(testFolder, { recursive: true, encoding: 'utf8' });
    return all
      .filter(file => file.endsWith('.test.js'))
      .every(file => this.#files.has(`${testFolder}${file}`));
  }

  get #missing(): CaseName[] {
    const told = new Set(this.#rows.map(({ name }) => name));
    return cases.filter(name => !told.has(name));
  }
}

function isSkipped(skip: string | boolean | undefined): boolean {
  return skip !== undefined && skip !== false;
}

function whereIs(file: string): string {
  return relative(testFolder, file).replace(/\.js$/, '');
}

function orderOf([name]: readonly string[]): number {
  return cases.indexOf(name as CaseName);
}

/** The last two are too long to be lined up. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widthOf = (column: number) => Math.max(...rows.map(row => row[column]?.length ?? 0));
  const widths = [widthOf(0), widthOf(1)];
  return rows.map(row => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' · '));
}

/** A pipe may be full for a moment, and nothing else runs here that could wait. */
function writeOut(text: string): void {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return; // nobody reads any more
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

const table = new CaseTable();
process.on('exit', () => {
  writeOut(table.text());
  if (table.isWanting) process.exitCode = 1;
});
