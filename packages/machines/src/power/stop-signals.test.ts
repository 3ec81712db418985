import { describe, expect, it } from 'vitest';
import { containerOf, signalNumber } from './stop-signals.js';

describe('a stop signal', () => {
  it.each([
    ['SIGTERM', 15],
    ['INT', 2],
    ['sigquit', 3],
    ['9', 9],
    ['SIGRTMIN+3', 37],
    ['RTMIN', 34],
    ['SIGNONSENSE', 15],
    ['0', 15],
    ['65', 15],
    ['', 15],
  ])('%j is %i', (text, number) => expect(signalNumber(text)).toBe(number));
});

describe('the container of a shim', () => {
  const id = '0123456789abcdef'.repeat(4);
  const shim = (...command: string[]) => {
    const none = { pid: 2, parentPid: 1, startTicks: 0, pidNamespace: '', innerPid: 2 };
    return { ...none, command };
  };

  it('stands on its command line', () => {
    expect(containerOf(shim('containerd-shim-runc-v2', '-namespace', 'skep', '-id', id))).toBe(id);
    expect(containerOf(shim('containerd-shim-runc-v2', '-id', '../x'))).toBeUndefined();
    expect(containerOf(shim('containerd-shim-runc-v2'))).toBeUndefined();
    expect(containerOf(undefined)).toBeUndefined();
  });
});
