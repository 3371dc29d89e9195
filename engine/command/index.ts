export { checkCommand } from './check.ts';
export type { Command, CommandMoment, CommandRecord } from './command.ts';
export { endLeftovers } from './leftovers.ts';
export { type RunCommandOptions, runCommand } from './run.ts';
