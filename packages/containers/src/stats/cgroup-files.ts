import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CGROUP_PARENT } from '../spec/spec.js';

const CGROUP_ROOT = '/sys/fs/cgroup';

/** Reads a container's cgroup files; missing ones (no such controller) read as empty. */
export class CgroupFiles {
  readonly #id: string;

  constructor(containerId: string) {
    this.#id = containerId;
  }

  /** `controller` empty on cgroup v2. */
  text(controller: string, file: string): string {
    try {
      return readFileSync(join(CGROUP_ROOT, controller, CGROUP_PARENT, this.#id, file), 'utf8');
    } catch {
      return '';
    }
  }

  number(controller: string, file: string): number {
    const text = this.text(controller, file).trim();
    return text === '' || text === 'max' ? 0 : Number(text);
  }

  /** A file of `key value` lines. */
  table(controller: string, file: string): Record<string, number> {
    return parseTable(this.text(controller, file));
  }
}

export function parseTable(text: string): Record<string, number> {
  const entries = text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words.length === 2)
    .map(([key = '', value = '']): [string, number] => [key, Number(value)]);
  return Object.fromEntries(entries);
}
