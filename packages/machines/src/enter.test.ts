import { describe, expect, it } from 'vitest';
import { entrance } from './enter.js';

describe('the entrance to a machine', () => {
  it('joins words for a shell, as ssh does', () => {
    const { command, args } = entrance(42, ['docker', 'node', 'ls', '&&', 'date'], {});
    expect(command).toBe('nsenter');
    expect(args.slice(0, 2)).toEqual(['--target', '42']);
    expect(args.slice(-3)).toEqual(['sh', '-c', 'docker node ls && date']);
  });

  it("has the machine's engine in its environment, and no other", () => {
    const env = {
      PATH: '/bin',
      DOCKER_HOST: 'tcp://other',
      DOCKER_CONTEXT: 'x',
      DOCKER_CONFIG: '/c',
    };
    expect(entrance(42, [], env).env).toEqual({
      PATH: '/bin',
      DOCKER_CONFIG: '/c',
      DOCKER_HOST: 'unix:///run/skep/skep.sock',
    });
  });
});
