import { rawChunks } from './chunks.ts';
import { hostileDatabase } from './database.ts';
import { hostileHome } from './home.ts';
import { outcomeOf } from './outcome.ts';
import { randomFrom } from './random.ts';
import { databaseSteps, homeSteps, type Step } from './read.ts';
import { makeSandbox, type Sandbox } from './sandbox.ts';
import { type BaseStore, baseStore, hostileObjects } from './store.ts';
import { storeSteps } from './store-steps.ts';

export type CaseKind = 'home' | 'database' | 'store';

/** What one case of the fuzz came to that it may not. */
export interface Finding {
  readonly kind: CaseKind;
  readonly caseNumber: number;
  readonly step: string;
  readonly what: string;
}

export interface FuzzTotals {
  cases: number;
  /** Things outside the target that changed. */
  escapes: number;
  /** Steps that took longer than they may. */
  slow: number;
  slowestMs: number;
  readonly findings: Finding[];
  /** By step and how it ended: done, or the code. */
  readonly ended: Map<string, number>;
}

export interface FuzzOptions {
  readonly seed: number;
  readonly from?: number | undefined;
  readonly cases: number;
  readonly stepMsMax: number;
  readonly only?: CaseKind | undefined;
  /** Called before each case: whoever watches knows which one hangs. */
  readonly onCase?: (caseNumber: number) => void;
  readonly onFinding?: (finding: Finding) => void;
}

/** Random hostile homes, databases and stores; each is read, restored, verified and pruned by all that does so. */
export async function fuzzHostile(options: FuzzOptions): Promise<FuzzTotals> {
  const { seed, from = 0, cases } = options;
  const totals: FuzzTotals = { cases: 0, escapes: 0, slow: 0, slowestMs: 0, findings: [], ended: new Map() };
  const base = await baseStore();
  let sandbox = makeSandbox();
  try {
    for (let caseNumber = from; caseNumber < from + cases; caseNumber++) {
      const kind = options.only ?? kindOf(caseNumber);
      options.onCase?.(caseNumber);
      const note = (step: string, what: string): void => {
        const finding = { kind, caseNumber, step, what };
        totals.findings.push(finding);
        options.onFinding?.(finding);
      };
      for (const [step, work] of stepsOf(kind, { seed, caseNumber, sandbox, base })) {
        const startedMs = performance.now();
        const outcome = await outcomeOf(work);
        const tookMs = performance.now() - startedMs;
        totals.slowestMs = Math.max(totals.slowestMs, tookMs);
        if (tookMs > options.stepMsMax) {
          totals.slow++;
          note(step, `took ${Math.round(tookMs)} ms`);
        }
        if ('finding' in outcome) note(step, outcome.finding);
        else count(totals.ended, `${kind} ${step}: ${outcome.ended}`);
        sandbox.clear();
      }
      const changed = sandbox.changed();
      if (changed !== undefined) {
        totals.escapes++;
        note('all', `something outside the target changed:\n${changed}`);
        sandbox[Symbol.dispose]();
        sandbox = makeSandbox();
      }
      totals.cases++;
    }
  } finally {
    sandbox[Symbol.dispose]();
  }
  return totals;
}

const kindOf = (caseNumber: number): CaseKind =>
  caseNumber % 10 === 9 ? 'store' : caseNumber % 3 === 2 ? 'database' : 'home';

function stepsOf(
  kind: CaseKind,
  {
    seed,
    caseNumber,
    sandbox,
    base,
  }: { seed: number; caseNumber: number; sandbox: Sandbox; base: BaseStore },
): Step[] {
  const random = randomFrom(seed, caseNumber);
  const chunks = rawChunks();
  const make = { random, chunks, sandbox };
  switch (kind) {
    case 'home':
      return homeSteps(chunks, { home: hostileHome(make), other: hostileHome(make), sandbox });
    case 'database':
      return databaseSteps(chunks, [hostileDatabase(make), hostileDatabase(make)]);
    case 'store':
      return storeSteps(hostileObjects(random, base), sandbox);
    default:
      return kind satisfies never;
  }
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
