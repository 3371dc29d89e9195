/** What a run's log says. Times in ns of one clock. */
export interface Happenings {
  /** "role, step" of who was killed. */
  readonly kills: readonly string[];
  /** Numbers of sweeps that a pruner created while a living run's intent was there. */
  readonly besideIntent: readonly number[];
  /** Numbers of pruners' sweeps that were not done while such an intent was there, the former ones among them. */
  readonly overlapped: readonly number[];
  readonly vetoes: number;
}

interface Span {
  readonly from: bigint;
  to: bigint;
}

const never = 2n ** 63n;

/**
 * Reads one log a process. Spans are taken narrowly: an intent is there from when its put was answered to when its removal
 * began, or its run was killed; a sweep likewise, to when its done record was begun.
 */
export function readHappenings(logs: readonly string[]): Happenings {
  const kills: string[] = [];
  const intents = new Map<string, Span>();
  const sweeps = new Map<number, Span & { readonly begun: bigint }>();
  const dones = new Map<number, bigint>();
  let vetoes = 0;
  for (const log of logs) {
    const own: Span[] = [];
    for (const line of log.split('\n').filter(Boolean)) {
      const [operation, role, name, result, from, to] = line.split('\t');
      if (operation === 'killed') {
        kills.push(`${role}, ${name}`);
        for (const span of own) if (span.to === never) span.to = BigInt(result!);
      } else if (name!.startsWith('intents/')) {
        if (operation === 'put' && result === 'created') {
          const span = { from: BigInt(to!), to: never };
          intents.set(name!, span);
          own.push(span);
        }
      } else if (result === 'created') {
        const [, number, part] = /^gc\/(\d+)(?:\.(\w+))?$/.exec(name!) ?? [];
        if (part === 'done') dones.set(Number(number), BigInt(from!));
        if (part !== 'sweep') continue;
        if (role === 'writer') vetoes += 1;
        else sweeps.set(Number(number), { begun: BigInt(from!), from: BigInt(to!), to: never });
      }
    }
  }
  for (const line of logs.flatMap(log => log.split('\n'))) {
    const [operation, , name, , from] = line.split('\t');
    const span = operation === 'delete' ? intents.get(name!) : undefined;
    if (span !== undefined && BigInt(from!) < span.to) span.to = BigInt(from!);
  }
  for (const [number, span] of sweeps) span.to = dones.get(number) ?? never;
  const spans = [...intents.values()];
  const found = (test: (sweep: Span & { readonly begun: bigint }, intent: Span) => boolean): number[] =>
    [...sweeps].filter(([, sweep]) => spans.some(intent => test(sweep, intent))).map(([number]) => number);
  return {
    kills,
    vetoes,
    besideIntent: found((sweep, intent) => intent.from <= sweep.begun && sweep.from <= intent.to),
    overlapped: found((sweep, intent) => intent.from <= sweep.to && sweep.from <= intent.to),
  };
}
