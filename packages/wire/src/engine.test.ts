import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import {
  canEncrypt,
  type DataPath,
  dataPathOf,
  hasOwnAgent,
  isMark,
  markOwnAgent,
} from './engine.js';
import { NodeDescriptionSchema } from './swarmkit.js';

const plugins = [{ type: 'Network', name: 'overlay' }];
const described = create(NodeDescriptionSchema, { hostname: 'a', engine: { plugins } });
const wireguard = { key: new Uint8Array(32).fill(7), port: 51_820 };

function pluginsOf(name: string) {
  return create(NodeDescriptionSchema, { engine: { plugins: [{ type: 'DataPath', name }] } });
}

describe('what an agent of ours says of its node', () => {
  it.each<DataPath>([
    { address: '192.168.9.1' },
    { address: 'fd00::1' },
    { address: '192.168.9.1', wireguard },
    { address: '', wireguard },
    { address: '' },
    { address: '', ipsec: true },
  ])('is read as it was written: %j', (dataPath) => {
    const marked = markOwnAgent(described, dataPath);
    expect(hasOwnAgent(marked)).toBe(true);
    expect(dataPathOf(marked)).toEqual(dataPath);
    expect(marked.engine?.plugins.filter((plugin) => !isMark(plugin))).toMatchObject(plugins);
    expect(marked.engine?.plugins.map(({ type }) => type).toSorted()).toEqual(
      marked.engine?.plugins.map(({ type }) => type),
    );
  });

  it('is nothing where another engine describes itself', () => {
    expect(hasOwnAgent(described)).toBe(false);
    expect(dataPathOf(described)).toBeUndefined();
    expect(dataPathOf(markOwnAgent(described))).toBeUndefined();
  });

  it.each([
    '',
    '10.0.0.1 x',
    '10.0.0.1 QUJD 51820',
    '- ipsec 7',
    `10.0.0.1 ${'A'.repeat(43)}= 0`,
    'a b c d',
  ])('counts for nothing when it makes no sense: %j', (name) =>
    expect(dataPathOf(pluginsOf(name))).toBeUndefined(),
  );

  it.each<[DataPath, boolean]>([
    [{ address: '' }, false],
    [{ address: '', wireguard }, true],
    [{ address: '', ipsec: true }, true],
  ])('tells whether it can encrypt: %j', (dataPath, can) => {
    expect(canEncrypt(markOwnAgent(described, dataPath))).toBe(can);
  });

  it('leaves open whether another engine can encrypt', () => {
    expect(canEncrypt(described)).toBe(true);
    expect(canEncrypt(undefined)).toBe(true);
  });
});
