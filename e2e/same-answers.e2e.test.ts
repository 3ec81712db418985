import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Asked, comparable, say, scenarios } from './support/answers.ts';
import { loadImage } from './support/docker-engine.ts';
import { until } from './support/exec.ts';
import { TestMachines } from './support/machines.ts';

/**
 * The same is said to our engine and to a Docker Engine 20.10, each with a swarm of its own, and the
 * answers are compared word for word: what commands print, their exit codes, JSON and status codes.
 */

const NAMES = ['sameskep', 'samedocker'] as const;

const machines = new TestMachines();
let engines: Asked[];

beforeAll(async () => {
  const [ours, docker] = NAMES;
  await Promise.all([machines.create([ours]), machines.create([docker], ['--engine', 'dockerd'])]);
  await loadImage(machines, ...NAMES);
  engines = await Promise.all(
    NAMES.map(async (hostname) => {
      return {
        hostname,
        socket: machines.socket(hostname),
        address: await machines.address(hostname),
      };
    }),
  );
});
afterAll(() => machines.cleanUp());

const answers = (said: string) =>
  Promise.all(engines.map(async (engine) => comparable(engine, await say(engine, said))));

describe.each(scenarios())('$name', ({ lines }) => {
  for (const { said, until: output, difference } of lines) {
    if (output !== undefined) {
      it(`becomes ${output}: ${said}`, () =>
        until(
          () => answers(said),
          (all) => all.every((answer) => answer.trim() === output),
        ));
      continue;
    }
    it(difference === undefined ? said : `${said} (differs: ${difference})`, async () => {
      const [ours, docker] = await answers(said);
      if (difference === undefined) expect(ours).toBe(docker);
      else expect(ours).not.toBe(docker);
    });
  }
});
