import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { STATUS_FILE_BYTES_MAX } from '../limits.js';
import { type ContainerStatus, initialStatus } from './record.js';
import { lastStatus, StatusFiles } from './status-files.js';

let directory: string;
let path: string;
let files: StatusFiles;

const statusOf = (restartCount: number): ContainerStatus => ({ ...initialStatus(), restartCount });
const read = () => lastStatus(readFileSync(path, 'utf8')).restartCount;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'skep-status-'));
  path = join(directory, 'state.json');
  files = new StatusFiles();
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('the file of a status', () => {
  it('says what was written last, and stays the same file', () => {
    files.write(path, statusOf(1));
    const { ino, mode } = statSync(path);
    expect(mode & 0o777).toBe(0o600);
    files.write(path, statusOf(2));
    files.write(path, statusOf(3));
    expect(read()).toBe(3);
    expect(statSync(path).ino).toBe(ino);
    expect(readdirSync(directory)).toEqual(['state.json']);
  });

  it('is replaced by a short one before it grows beyond its bound', () => {
    for (let count = 1; count <= 2_000; count++) files.write(path, statusOf(count));
    expect(statSync(path).size).toBeLessThanOrEqual(STATUS_FILE_BYTES_MAX);
    expect(read()).toBe(2_000);
  });

  it('may be larger than that for one status', () => {
    const large = statusOf(7);
    large.state.Error = 'x'.repeat(STATUS_FILE_BYTES_MAX);
    files.write(path, statusOf(6));
    files.write(path, large);
    expect(read()).toBe(7);
    files.write(path, statusOf(8));
    expect(read()).toBe(8);
    expect(statSync(path).size).toBeLessThan(STATUS_FILE_BYTES_MAX);
  });

  it('says what was written whole after a kill, wherever that came', () => {
    files.write(path, statusOf(1));
    files.write(path, statusOf(2));
    const whole = readFileSync(path, 'utf8');
    const second = whole.slice(0, -1).lastIndexOf('\n') + 1;
    for (let end = second; end < whole.length - 1; end++) {
      expect(lastStatus(whole.slice(0, end)).restartCount).toBe(1);
    }
    expect(lastStatus(whole.slice(0, -1)).restartCount).toBe(2);
  });

  it('goes on after a kill with a file that is whole', () => {
    files.write(path, statusOf(1));
    appendFileSync(path, '{"state":{');
    new StatusFiles().write(path, statusOf(2));
    expect(read()).toBe(2);
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(2);
  });

  it('goes on after a write that failed, and begins anew when it is made again', () => {
    files.write(path, statusOf(1));
    rmSync(directory, { recursive: true });
    expect(() => files.write(join(directory, 'none', 'state.json'), statusOf(2))).toThrow('ENOENT');
    expect(() => files.write(path, statusOf(2))).toThrow('ENOENT');
    directory = mkdtempSync(join(tmpdir(), 'skep-status-'));
    path = join(directory, 'state.json');
    files.write(path, statusOf(3));
    expect(read()).toBe(3);
    rmSync(path);
    files.forget(path);
    files.write(path, statusOf(4));
    expect(read()).toBe(4);
  });

  it('that is empty or spoilt says nothing', () => {
    for (const text of ['', '\n', '{', 'null x'])
      expect(() => lastStatus(text)).toThrow(SyntaxError);
  });
});
