import { SimClock } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import type { Health } from '../contract/state.js';
import { mergeHealth, type ProbeSettings, probeCommand, probeSettings } from './config.js';
import { HealthMonitor } from './monitor.js';
import { afterProbe, initialHealth, probeDelayMs } from './progress.js';

const settings = probeSettings({
  Test: ['CMD-SHELL', 'check'],
  Interval: 10e9,
  Retries: 2,
  StartPeriod: 30e9,
  StartInterval: 1e9,
}) as ProbeSettings;
const result = (exitCode: number, output = '') => ({
  startMs: 0,
  endMs: 5,
  exitCode,
  output: Buffer.from(output),
});

describe('probe settings', () => {
  it('take Docker defaults and can be switched off', () => {
    expect(probeSettings({ Test: ['CMD', 'x'] })).toMatchObject({
      intervalMs: 30_000,
      timeoutMs: 30_000,
      retries: 3,
      startIntervalMs: 5000,
    });
    expect(probeSettings({ Test: ['NONE'] })).toBeUndefined();
    expect(probeSettings(undefined)).toBeUndefined();
  });

  it('run a line in a shell and a command as it is', () => {
    expect(probeCommand(settings)).toEqual(['/bin/sh', '-c', 'check']);
    expect(probeCommand({ ...settings, test: ['CMD', 'a', 'b'] })).toEqual(['a', 'b']);
  });

  it('override those of the image one by one', () => {
    const image = { Test: ['CMD', 'x'], Retries: 7, Interval: 1 };
    expect(mergeHealth(image, { Interval: 5, Test: [] })).toEqual({ ...image, Interval: 5 });
  });
});

describe('health progress', () => {
  it('does not count failures of the start period', () => {
    const early = afterProbe(settings, initialHealth(), result(1), 1000);
    expect(early).toMatchObject({ Status: 'starting', FailingStreak: 0 });
    const late = afterProbe(settings, early, result(1), 31_000);
    expect(late).toMatchObject({ Status: 'starting', FailingStreak: 1 });
    expect(afterProbe(settings, late, result(1), 41_000).Status).toBe('unhealthy');
  });

  it('is healthy after one success, also from unhealthy', () => {
    const unhealthy: Health = { Status: 'unhealthy', FailingStreak: 5, Log: [] };
    expect(afterProbe(settings, unhealthy, result(0), 1e6)).toMatchObject({
      Status: 'healthy',
      FailingStreak: 0,
    });
  });

  it('probes fast while it starts', () => {
    expect(probeDelayMs(settings, initialHealth(), 0)).toBe(1000);
    expect(probeDelayMs(settings, initialHealth(), 30_000)).toBe(10_000);
    expect(probeDelayMs(settings, { ...initialHealth(), Status: 'healthy' }, 0)).toBe(10_000);
  });

  it('keeps five results and 4096 bytes of each', () => {
    let health = initialHealth();
    for (let n = 0; n < 9; n++)
      health = afterProbe(settings, health, result(n, 'x'.repeat(5000)), 0);
    expect(health.Log.map((entry) => entry.ExitCode)).toEqual([4, 5, 6, 7, 8]);
    expect(health.Log[0]?.Output).toBe(`${'x'.repeat(4096)}...`);
  });
});

describe('HealthMonitor', () => {
  it('probes at its times, tells changes, and stops', async () => {
    const clock = new SimClock();
    const codes = [1, 0, 1, 1];
    const seen: string[] = [];
    const monitor = new HealthMonitor({
      settings,
      clock,
      health: initialHealth(),
      startedAtMs: clock.now(),
      probe: async () => ({ ...result(codes.shift() ?? 0) }),
      onHealth: (health, changed) => seen.push(`${health.Status}${changed ? '!' : ''}`),
    });
    await clock.advance(2000);
    expect(seen).toEqual(['starting', 'healthy!']);
    await clock.advance(20_000);
    expect(seen.slice(2)).toEqual(['healthy', 'unhealthy!']);
    monitor.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});
