import { runCli } from './program.js';
import { realContext } from './real-context.js';

/** The program `skep`. */
process.exitCode = await runCli(realContext(), process.argv.slice(2));
