/** A `${…}` that cannot be replaced. */
export class BadVariable extends Error {
  readonly remedy: string;
  constructor(problem: string, remedy: string) {
    super(problem);
    this.remedy = remedy;
  }
}

/**
 * Replaces `${VAR}` (unset: BadVariable) and `${VAR:-default}`; `$${` stands for a literal `${`. With `isForShell` the
 * variables are only looked at: a shell replaces them in the same way, and then their values are in no message, in no
 * manifest, and no part of the command's grammar.
 */
export function interpolate(
  text: string,
  { env, isForShell = false }: { readonly env: NodeJS.ProcessEnv; readonly isForShell?: boolean },
): string {
  return text.replace(/\$\$\{|\$\{([^}]*)(\}?)/g, (whole, inside?: string, end?: string) => {
    if (inside === undefined) return whole.slice(1);
    const [, name = '', fallback] = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(inside) ?? [];
    if (name === '' || end === '' || fallback?.includes('${')) {
      if (isForShell && end !== '') return whole; // the shell knows more forms
      throw new BadVariable(
        end === '' ? '${ has no end' : 'what stands in ${…} is no variable',
        'Write ${NAME} or ${NAME:-default} for a variable, and $${ where ${ itself is meant.',
      );
    }
    const value = env[name];
    const replaced = fallback === undefined ? value : value || fallback;
    if (replaced === undefined) {
      throw new BadVariable(
        `the environment variable ${name} is not set`,
        `Set ${name}, or write a default: \${${name}:-value}.`,
      );
    }
    return isForShell ? whole : replaced;
  });
}
