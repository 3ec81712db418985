import { closeSync, existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineContext } from '../engine/context.js';

/** Of the first process, and of execs. */
const PIPES_DIRECTORY = /^(io$|exec-)/;

/**
 * Opens both ends of all pipes that an earlier daemon left; what it gives closes them. A shim that
 * was about to start a process waits for the other end, and for as long answers nothing: a living
 * container whose exec it was would be taken for dead, after 2 s for each that containerd lists. And
 * where the container itself was to start, containerd gives the shim up, which would stay for good.
 */
export function openLeftPipes({ paths, kernel }: EngineContext): () => void {
  const files = below(paths.runs)
    .flatMap((run) => below(run).filter((path) => PIPES_DIRECTORY.test(path.slice(run.length + 1))))
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
