export { type CliContext, CommandError } from './context.js';
export { runCli } from './program.js';
