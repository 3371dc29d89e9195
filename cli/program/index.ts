export { buildProgram, describeProgram, type GlobalOptions } from './program.ts';
