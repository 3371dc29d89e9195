#!/usr/bin/env node
import { run } from './run.ts';

// Whoever reads the output may go away: that ends no backup. Output that could not be written is a failure.
let isOutputLost = false;
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') isOutputLost = true;
  });
}
const code = await run({
  argv: process.argv.slice(2),
  env: process.env,
  cwd: process.cwd(),
  stdout: process.stdout,
  stderr: process.stderr,
});
// A pipe may still hold output; an idle connection must not keep the program alive.
process.stdout.write('', () => process.exit(code === 0 && isOutputLost ? 1 : code));
