#!/usr/bin/env node
import { run } from './run.ts';

const code = await run({
  argv: process.argv.slice(2),
  env: process.env,
  cwd: process.cwd(),
  stdout: process.stdout,
  stderr: process.stderr,
});
// A pipe may still hold output; an idle connection must not keep the program alive.
process.stdout.write('', () => process.exit(code));
