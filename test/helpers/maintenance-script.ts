import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a call does in place of its own work; a snippet for sh. The folder's `$F/locked` is the lock. */
export type Misbehaviour = Partial<Record<'lock' | 'wait' | 'check' | 'unlock', string>>;

const script = `#!/bin/sh
F=$(dirname "$0")
echo "$1 $STILLPOINT_UNLOCK_TOKEN $STILLPOINT_MOMENT $STILLPOINT_INSTANCE $STILLPOINT_HOME" >> "$F/calls"
env > "$F/environment-of-$1"
[ -e "$F/instead-of-$1" ] && . "$F/instead-of-$1"
case $1 in
  lock) set -C; echo "$STILLPOINT_UNLOCK_TOKEN" 2>/dev/null > "$F/locked" || { echo "held by $(cat "$F/locked")" >&2; exit 75; } ;;
  wait) echo "at rest" ;;
  check) grep -qx "$STILLPOINT_UNLOCK_TOKEN" "$F/locked" ;;
  unlock) [ -e "$F/locked" ] || exit 0; grep -qx "$STILLPOINT_UNLOCK_TOKEN" "$F/locked" && rm "$F/locked" ;;
esac
`;

/** A script of an administrator that keeps a lock file with the token in it, and what it was called with. */
export class MaintenanceScript {
  readonly file: string;
  readonly #folder: string;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
    this.file = join(folder, 'maintenance');
    writeFileSync(this.file, script, { mode: 0o755 });
  }

  /** The token that it is locked with; undefined when it is not. */
  get token(): string | undefined {
    const file = join(this.#folder, 'locked');
    return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
  }

  /** Each call's words, in order: what, token, moment, instance, home. */
  get calls(): string[][] {
    const file = join(this.#folder, 'calls');
    return existsSync(file)
      ? readFileSync(file, 'utf8')
          .trimEnd()
          .split('\n')
          .map(line => line.split(' '))
      : [];
  }

  /** What it was called for, in order. */
  get moments(): (string | undefined)[] {
    return this.calls.map(([moment]) => moment);
  }

  /** The environment of the last call of a kind, as `env` prints it. */
  environmentOf(call: keyof Misbehaviour): string {
    return readFileSync(join(this.#folder, `environment-of-${call}`), 'utf8');
  }

  /** From now on these calls do so, and go on with their own work unless they exit; the others behave. */
  misbehave(how: Misbehaviour): void {
    for (const call of ['lock', 'wait', 'check', 'unlock'] as const)
      writeFileSync(join(this.#folder, `instead-of-${call}`), `${how[call] ?? ':'}\n`);
  }

  /** Somebody else locks. */
  lockAs(token: string): void {
    writeFileSync(join(this.#folder, 'locked'), `${token}\n`);
  }
}
