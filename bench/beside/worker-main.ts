// A host of the bench: does one part after the other over the real local backend, as its parent asks over the pipe.
import { openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { contextOf } from '../../store/context.ts';
import {
  type Backend,
  beginPrune,
  openLocalBackend,
  openStore,
  type SessionId,
  StillpointError,
  type Store,
  storeError,
  systemSeams,
} from '../../store/index.ts';
import { readGenerations } from '../../store/protocol/generations.ts';
import { listSessions, readSession } from '../../store/protocol/sessions.ts';
import { insideOf, storeWith } from '../../store/store.ts';
import { backUpFiles, damageOf, type SmallBackup, smallBackups } from './backup-files.ts';
import type { Answer, Orders, Part } from './orders.ts';
import { rest } from './rest.ts';
import { type Call, type Step, stepsOf } from './steps.ts';
import { passphrase } from './store.ts';

const [template] = process.argv.slice(2);
const first = await openStore(await openLocalBackend(template!), { passphrase, seams: systemSeams });
const { context, keys } = insideOf(first);
const before = await smallBackups(first);

/** Written at once, so that it is there after a kill; the clock is one for all processes of a machine. */
function note(log: number, ...words: readonly (string | number | bigint)[]): void {
  writeSync(log, `${words.join('\t')}\n`);
}

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  for (;;); // until the signal is there
}

/** Pauses, dies and writes down what happens, as the part says. */
function viewOf(medium: Backend, part: Part, log: number): Backend {
  const { role, pauses, kill } = part;
  let { losesAnswer } = part;
  const tell = stepsOf(role);
  const calls = new Map<Step, number>();
  const around = async <T>(call: Call, work: () => Promise<T>): Promise<T> => {
    const step = tell(call);
    const number = (calls.get(step) ?? 0) + 1;
    calls.set(step, number);
    const pause = pauses[step];
    if (pause?.call === number && pause.ms > 0) await rest(pause, restingOn(medium));
    const dies = kill?.step === step && kill.call === number ? kill.when : undefined;
    const fall = () => {
      note(log, 'killed', role, step, process.hrtime.bigint());
      die();
    };
    if (dies === 'before') fall();
    const isOfInterest = /^(intents|gc)\//.test(call.name) && /put|delete/.test(call.operation);
    const from = process.hrtime.bigint();
    const result = await work();
    if (isOfInterest)
      note(log, call.operation, role, call.name, String(result), from, process.hrtime.bigint());
    if (dies === 'after') fall();
    if (losesAnswer && call.operation === 'put' && call.name.startsWith('manifests/')) {
      losesAnswer = false;
      throw storeError('STORE_WRITE_FAILED', `Cannot write ${call.name}: the answer was lost`);
    }
    return result;
  };
  return {
    ...medium,
    location: medium.location,
    put: (name, bytes, options) => around({ operation: 'put', name }, () => medium.put(name, bytes, options)),
    sync: options => around({ operation: 'sync', name: '' }, () => medium.sync(options)),
    get: (name, options) => around({ operation: 'get', name }, () => medium.get(name, options)),
    async *list(prefix, options) {
      await around({ operation: 'list', name: prefix }, async () => undefined);
      yield* medium.list(prefix, options);
    },
    delete: (name, options) => around({ operation: 'delete', name }, () => medium.delete(name, options)),
    close: () => medium.close(),
  };
}

async function act({ folder, log, part }: Orders, onCommit: () => void): Promise<void> {
  await sleep(part.waitMs);
  const medium = await openLocalBackend(folder);
  const view = viewOf(medium, part, openSync(log, 'a'));
  const store = storeWith(contextOf({ ...context, backend: view }), keys);
  const { host, files, moreFiles, snapshot, rounds } = part;
  const known = snapshot === undefined ? undefined : before[snapshot];
  if (part.role === 'reader') return read(store, known!, { part, medium });
  if (part.role === 'writer') {
    await backUpFiles(store, { host, files, parent: known });
    onCommit();
    if (moreFiles === undefined) return;
    await rest(part.rest, restingOn(medium));
    await unlessForNothing(medium, () => backUpFiles(store, { host, files: moreFiles, parent: known }));
    return onCommit();
  }
  await using session = await beginPrune(store, { host, silenceMs: 0 });
  await rest(part.rest, restingOn(medium));
  if (known !== undefined) await session.forget(known.id, { reason: 'a bench' });
  for (let round = 0; round < rounds; round++) await session.reclaim({ mayBeEmpty: true });
}

/** What a prune took meanwhile refuses a backup; where none did anything, the backup went by what was long gone. */
async function unlessForNothing(medium: Backend, backUp: () => Promise<unknown>): Promise<void> {
  const quiet = contextOf({ ...context, backend: medium });
  const { state } = await readGenerations(quiet);
  try {
    await backUp();
  } catch (error) {
    const isTaken =
      error instanceof StillpointError && error.code === 'STORE_LOCKED' && !error.context['object'];
    if (isTaken && state.endsWith('done') && (await readGenerations(quiet)).state === state)
      throw new Error(`refused for nothing: ${error.message}`);
    throw error;
  }
}

/** While its session is there it reads all of its snapshot; whoever removes that may take what it reads. */
async function read(
  store: Store,
  wanted: SmallBackup,
  { part, medium }: { readonly part: Part; readonly medium: Backend },
): Promise<void> {
  const { host } = part;
  await using _reading = await store.beginReading({ host, snapshots: [wanted.id] });
  await store.manifest(wanted.id);
  await rest(part.rest, restingOn(medium));
  const damage = await damageOf(store, wanted);
  if (damage === undefined) return;
  for (const session of (await listSessions(insideOf(store).context)).values())
    if (session.isThere && (await hostOf(store, session.id)) === host)
      throw new Error(`what a reader reads is lost: ${damage}`);
}

async function hostOf(store: Store, session: SessionId): Promise<string | undefined> {
  return (await readSession(insideOf(store).context, session))?.host;
}

/** What a rest looks at is no call of the party. */
function restingOn(medium: Backend) {
  const quiet = contextOf({ ...context, backend: medium });
  const isReading = async () => {
    for (const { id } of (await listSessions(quiet)).values())
      if ((await readSession(quiet, id).catch(() => undefined))?.purpose === 'read') return true;
    return false;
  };
  return { medium, isReading };
}

process.on('message', (orders: Orders) => {
  let commits = 0;
  act(orders, () => {
    commits += 1;
  }).then(
    () => answer({ commits, code: undefined, error: undefined }),
    (error: unknown) =>
      answer({
        commits,
        code: error instanceof StillpointError ? error.code : 'none',
        error: error instanceof Error ? error.stack : String(error),
      }),
  );
});

function answer(what: Answer): void {
  process.send!(what);
}

process.send!('ready');
