import { create } from '@bufbuild/protobuf';
import { Code } from '@skep/platform';
import { HealthCheckRequestSchema, HealthCheckResponse_ServingStatus } from '@skep/wire/swarmkit';
import { expect, it } from 'vitest';
import { Health, RAFT_SERVICE } from './health.js';

const { SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus;

it('is told of each service, and of the whole', async () => {
  const health = new Health();
  const ask = async (service: string) =>
    (await health.check(create(HealthCheckRequestSchema, { service }))).status;
  expect(await ask('')).toBe(SERVING);
  await expect(ask(RAFT_SERVICE)).rejects.toMatchObject({
    code: Code.NOT_FOUND,
    message: 'unknown service',
  });
  health.setServing(RAFT_SERVICE, true);
  expect(await ask(RAFT_SERVICE)).toBe(SERVING);
  health.setServing(RAFT_SERVICE, false);
  expect(await ask(RAFT_SERVICE)).toBe(NOT_SERVING);
});
