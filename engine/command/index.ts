export type { Command, CommandMoment, CommandRecord } from './command.ts';
export { type RunCommandOptions, runCommand } from './run.ts';
