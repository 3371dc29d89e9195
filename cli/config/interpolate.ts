/** A `${VAR}` whose variable is not set. */
export class UnsetVariable extends Error {
  readonly variable: string;
  constructor(variable: string) {
    super(`environment variable ${variable} is not set`);
    this.variable = variable;
  }
}

/** Replaces `${VAR}` (unset: UnsetVariable) and `${VAR:-default}`; `$${` stands for a literal `${`. */
export function interpolate(text: string, env: NodeJS.ProcessEnv): string {
  return text.replace(
    /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g,
    (whole, name?: string, fallback?: string) => {
      if (name === undefined) return whole.slice(1);
      const value = env[name];
      if (fallback !== undefined) return value === undefined || value === '' ? fallback : value;
      if (value === undefined) throw new UnsetVariable(name);
      return value;
    },
  );
}
