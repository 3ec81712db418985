import { closeSync, existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineContext } from '../engine/context.js';

const EXEC_DIRECTORY = /^exec-/;

/**
 * Opens both ends of the pipes of all execs that an earlier daemon left; what it gives closes them.
 * A shim that was about to start one waits for the other end, and for as long answers nothing about
 * its container: a living one would be taken for dead.
 */
export function openExecPipes({ paths, kernel }: EngineContext): () => void {
  const files = below(paths.runs)
    .flatMap((run) => below(run).filter((path) => EXEC_DIRECTORY.test(path.slice(run.length + 1))))
    .flatMap(below)
    .filter((path) => lstatSync(path).isFIFO())
    .map((path) => kernel.openFifo(path, 'write'));
  return () => {
    for (const file of files) closeSync(file);
  };
}

function below(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory).map((name) => join(directory, name));
}
