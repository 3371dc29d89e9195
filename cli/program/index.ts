export { commandNamed } from './commands/index.ts';
export { buildProgram, describeProgram, type GlobalOptions } from './program.ts';
