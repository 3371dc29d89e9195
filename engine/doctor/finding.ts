/** One thing that was looked at. */
export interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'failed';
  /** What was found, a sentence without its full stop. */
  readonly found: string;
  readonly remedy?: string;
  /** It was wrong, and is mended. */
  readonly mended?: true;
}

export function good(check: string, found: string): Finding {
  return { check, state: 'ok', found };
}

export function mended(check: string, found: string): Finding {
  return { check, state: 'ok', found, mended: true };
}

export function warn(check: string, { found, remedy }: { found: string; remedy: string }): Finding {
  return { check, state: 'warning', found, remedy };
}

export function bad(check: string, { found, remedy }: { found: string; remedy: string }): Finding {
  return { check, state: 'failed', found, remedy };
}

/** A finding from an error that carries its remedy. */
export function failed(check: string, error: unknown): Finding {
  const { message, remedy } = error as { message?: string; remedy?: string };
  return { check, state: 'failed', found: message ?? String(error), ...(remedy ? { remedy } : {}) };
}
