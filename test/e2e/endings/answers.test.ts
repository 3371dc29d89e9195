import { after, before, describe, test } from 'node:test';
import type { Fault } from '../../../bench/instance/index.ts';
import type { Rig } from '../../../bench/rig/index.ts';
import type { CaseName } from '../../helpers/cases.ts';
import { assertEndings, configured, type Mishap, rigAtWork } from '../../helpers/endings.ts';

/** The calls of one backup, in their order; the state is first asked to prove the login, then until all is drained. */
const calls = {
  login: { route: 'status' },
  version: { route: 'properties' },
  lock: { route: 'lock' },
  task: { route: 'backup' },
  drain: { route: 'status', skip: 1 },
  progress: { route: 'progress' },
  unlock: { route: 'unlock' },
} as const satisfies Record<string, Pick<Fault, 'route' | 'skip'>>;

type CallName = keyof typeof calls;
type End = Pick<Mishap, 'exit' | 'left'> & { readonly code?: string };

const refused: End = { exit: 1, code: 'APP_REFUSED' };
const unreachable: End = { exit: 1, code: 'APP_UNREACHABLE' };
const notDrained: End = { exit: 1, code: 'APP_NOT_DRAINED' };
/** A page that does not move is no reason to lose a backup. */
const saved: End = { exit: 0 };
const stillLocked: End = { exit: 21, code: 'APP_STILL_LOCKED', left: 'lock' };
/** The lock call may have taken effect, as far as the program can know. */
const perhapsLocked: End = { exit: 21, code: 'APP_STILL_LOCKED', left: 'record' };

const wrong = { version: refused, lock: refused, task: refused, drain: refused };
const late = { version: unreachable, lock: perhapsLocked, task: unreachable };
const later = { drain: notDrained, progress: saved, unlock: stillLocked };

const matrix: readonly [CaseName, Fault['misbehave'], Partial<Record<CallName, End>>][] = [
  ['application answers HTML', { kind: 'html' }, { ...wrong, progress: saved, unlock: stillLocked }],
  [
    'application answers a redirect',
    { kind: 'redirect', to: 'https://proxy.invalid/login?from=here' },
    { ...wrong, progress: saved, unlock: stillLocked },
  ],
  ['application answers an empty 204', { kind: 'empty' }, { ...wrong, progress: saved, unlock: stillLocked }],
  ['application does not answer', { kind: 'hang' }, { ...late, ...later }],
  // Half of an answer to the unlock comes after it took effect, and is not known to have.
  ['application answers half', { kind: 'stall' }, { version: unreachable, unlock: perhapsLocked }],
  [
    'application drops the connection',
    { kind: 'drop' },
    { lock: perhapsLocked, task: unreachable, ...later },
  ],
  ['application answers an error', { kind: 'status', status: 500 }, { lock: refused, drain: notDrained }],
  ['application answers an error', { kind: 'status', status: 503 }, { lock: refused, drain: notDrained }],
  // What a proxy that gave up waiting says of a lock call is not what the application did.
  [
    'application answers an error',
    { kind: 'html', status: 502 },
    { version: refused, lock: perhapsLocked, task: refused },
  ],
  ['application refuses the login', { kind: 'status', status: 401 }, { login: refused, unlock: stillLocked }],
  ['application refuses the login', { kind: 'status', status: 403 }, { login: refused, lock: refused }],
  [
    'application refuses the login',
    {
      kind: 'status',
      status: 403,
      headers: { 'x-authentication-denied-reason': 'CAPTCHA_CHALLENGE; login-url=/login' },
    },
    { login: refused },
  ],
];

describe('an application that answers what it should not', () => {
  let rig: Rig;
  let impatient: Record<string, string>;

  before(async () => {
    rig = await rigAtWork();
    impatient = configured(rig, text => `${text}\nlatch: { drainTimeout: 1s }\n`);
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  for (const [name, misbehave, ends] of matrix) {
    const status = 'status' in misbehave ? ` ${misbehave.status}` : '';
    const captcha = 'headers' in misbehave ? ', a CAPTCHA' : '';
    test(`${name}${status}${captcha}: nobody stays locked out`, async context => {
      const mishaps = Object.entries(ends).map(([call, end]): Mishap => {
        const fault: Fault = { ...calls[call as CallName], misbehave };
        const arrange = () => {
          rig.instance.faults.add(fault);
          return () => rig.instance.faults.clear();
        };
        return { name, where: `${call}${status}${captcha}`, ...end, arrange, env: impatient };
      });
      await assertEndings(context, rig, mishaps);
    });
  }
});
