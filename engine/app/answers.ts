import type { StillpointError } from '../../store/index.ts';
import { engineError } from '../errors.ts';
import type { Answer } from './http.ts';

/** True for a page for people: what proxies, login forms and error pages answer, whatever their status. */
export function isPage(answer: Answer): boolean {
  return answer.contentType === 'text/html' || /^\s*<(!doctype|html|head|body)\b/i.test(answer.body);
}

export interface Expectation {
  readonly call: string;
  readonly status: readonly number[];
  readonly user: string;
}

/** The answer's JSON object, or APP_REFUSED in a sentence that says what answered instead. */
export function readObject(answer: Answer, expected: Expectation): Readonly<Record<string, unknown>> {
  expectStatus(answer, expected);
  if (answer.body.trim() === '') throw refuse(expected, 'the answer is empty', throughProxy);
  if (answer.contentType !== 'application/json' && !answer.contentType.endsWith('+json')) {
    throw refuse(
      expected,
      `the answer is ${answer.contentType || 'of no stated type'}, not JSON`,
      throughProxy,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(answer.body);
  } catch (error) {
    throw refuse(expected, 'the answer is not valid JSON', throughProxy, error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refuse(expected, 'the answer is not a JSON object', throughProxy);
  }
  return value as Record<string, unknown>;
}

/** Accepts the status alone; a page for people is no success, whatever its status. */
export function expectStatus(answer: Answer, expected: Expectation): void {
  const { status } = answer;
  if (expected.status.includes(status)) {
    if (isPage(answer)) throw refuse(expected, `a web page answered with ${status}`, throughProxy);
    return;
  }
  if (status >= 300 && status < 400) {
    const target = answer.location === '' ? '' : ` to ${originOf(answer.location)}`;
    throw refuse(
      expected,
      `it was redirected${target}`,
      'Set app.url to the address that answers without a redirect.',
    );
  }
  if (status === 401) {
    throw refuse(
      expected,
      `the login of ${expected.user} was refused (401)`,
      'Check app.user and app.passwordFile; the user needs the permission System Admin.',
    );
  }
  if (status === 403) {
    const captcha = answer.denied.includes('CAPTCHA');
    throw refuse(
      expected,
      captcha
        ? `${expected.user} must answer a CAPTCHA first (403)`
        : `${expected.user} may not do this (403)`,
      captcha
        ? 'Log in once in a browser as this user, then try again with the right password.'
        : 'Give the user in app.user the permission System Admin.',
    );
  }
  throw engineError(
    'APP_REFUSED',
    `Cannot ${expected.call}: it answered ${status}${isPage(answer) ? ' with a web page' : ''}`,
    { remedy: unexpected(status), context: { status } },
  );
}

/** A non-empty string field; `null`, missing and the text "null" are APP_REFUSED. */
export function readText(
  object: Readonly<Record<string, unknown>>,
  { field, expected }: { readonly field: string; readonly expected: Expectation },
): string {
  const value = object[field];
  if ((typeof value === 'string' && value !== '' && value !== 'null') || typeof value === 'number')
    return String(value);
  throw refuse(expected, `the answer has no ${field}`, throughProxy);
}

const throughProxy =
  'Set app.url to the application itself, past any login page, and check that it is Bitbucket 4.0 or newer.';

function unexpected(status: number): string {
  if (status === 503) return 'Wait until the application is up, or until whoever locked it has unlocked it.';
  if (status === 502 || status === 504) return 'Check that the application is up behind its proxy.';
  if (status === 409)
    return 'Another task or lock is in its way: see its maintenance page, then run it again.';
  return status >= 500 ? "Look in the application's log." : throughProxy;
}

export function refuse(
  expected: Expectation,
  found: string,
  remedy: string,
  cause?: unknown,
): StillpointError {
  return engineError('APP_REFUSED', `Cannot ${expected.call}: ${found}`, {
    remedy,
    ...(cause === undefined ? {} : { cause }),
  });
}

function originOf(location: string): string {
  return URL.canParse(location) ? new URL(location).origin : (location.split('?')[0] ?? location);
}
