import { create } from '@bufbuild/protobuf';
import { completeObject, type NodeObject } from '@skep/wire';
import { NodeRole, NodeSchema, PlacementSchema } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { parseAddress, parseSubnet } from './address.js';
import { nodeMatches } from './match.js';
import { constraintsOf, parseConstraints } from './parse.js';

const node: NodeObject = completeObject(
  'node',
  create(NodeSchema, {
    id: 'n1id',
    role: NodeRole.MANAGER,
    spec: { annotations: { labels: { zone: 'EU', Zone: 'us' } } },
    status: { addr: '10.1.2.3' },
    description: {
      hostname: 'Alpha',
      platform: { os: 'linux', architecture: 'x86_64' },
      engine: { labels: { 'com.example.disk': 'ssd' } },
    },
  }),
);
const bare = completeObject('node', create(NodeSchema, { id: 'n2id' }));

const accepts = (expression: string, target = node) =>
  nodeMatches(parseConstraints([expression]), target);

describe('parseConstraints', () => {
  it.each([
    ['node.id', 'constraint expected one operator from ==, !='],
    ['node.id=1', 'constraint expected one operator from ==, !='],
    ['==1', "key '' is invalid"],
    ['no$de==1', "key 'no$de' is invalid"],
    ['a==1', "key 'a' is invalid"],
    ['node.id!=a==b', "key 'node.id!=a' is invalid"],
    ['node.id==', "value '' is invalid"],
    ['node.id==a>b', "value 'a>b' is invalid"],
    ['node.id===a', "value '=a' is invalid"],
  ])('refuses %j with %j', (expression, message) => {
    expect(() => parseConstraints([expression])).toThrow(message);
  });

  it('takes the white space around key and value away', () => {
    expect(parseConstraints(['  node.role ==  manager '])).toEqual([
      { key: 'node.role', operator: '==', value: 'manager' },
    ]);
  });
});

describe('nodeMatches', () => {
  it.each([
    ['node.id==N1ID', true],
    ['NODE.ID!=n1id', false],
    ['node.hostname==alpha', true],
    ['node.role==manager', true],
    ['node.role!=worker', true],
    ['node.platform.os==Linux', true],
    ['node.platform.arch==aarch64', false],
    ['node.labels.zone==eu', true],
    ['Node.Labels.Zone==us', true],
    ['node.labels.ZONE==eu', false],
    ['node.labels.missing!=x', true],
    ['engine.labels.com.example.disk==SSD', true],
    ['node.labels.constructor!=x', true],
    ['node.labels.==x', false],
    ['node.colour!=red', false],
    ['node.ip==10.1.2.3', true],
    ['node.ip==::ffff:10.1.2.3', true],
    ['node.ip!=10.1.2.3', false],
    ['node.ip==10.1.0.0/16', true],
    ['node.ip!=10.1.0.0/16', false],
    ['node.ip==10.2.0.0/16', false],
    ['node.ip==2001:db8::/32', false],
    ['node.ip!=2001:db8::/32', true],
    ['node.ip!=10.1.2.300', false],
  ])('%s is %s for a described node', (expression, expected) => {
    expect(accepts(expression)).toBe(expected);
  });

  it.each([
    ['node.hostname==alpha', false],
    ['node.hostname!=alpha', true],
    ['node.platform.os!=linux', true],
    ['engine.labels.a==b', false],
    ['node.ip==0.0.0.0/0', false],
    ['node.ip!=10.0.0.1', true],
  ])('%s is %s for a node that has not described itself', (expression, expected) => {
    expect(accepts(expression, bare)).toBe(expected);
  });

  it('asks for every constraint', () => {
    const both = parseConstraints(['node.role==manager', 'node.labels.zone==us']);
    expect(nodeMatches(both, node)).toBe(false);
  });
});

describe('constraintsOf', () => {
  it('lets an unreadable stored placement constrain nothing', () => {
    const placement = create(PlacementSchema, { constraints: ['node.id==x', 'rubbish'] });
    expect(constraintsOf(placement)).toEqual([]);
  });
});

describe('addresses', () => {
  it.each(['1.2.3', '01.2.3.4', '1.2.3.256', '::1::', ':1', '1:2:3:4:5:6:7', '12345::', 'x', ''])(
    'refuses %j',
    (text) => expect(parseAddress(text)).toBeUndefined(),
  );

  it.each(['10.0.0.0/33', '10.0.0.0/', '/8', '::/129', '10.0.0.0', '::ffff:10.0.0.0/90'])(
    'refuses the subnet %j',
    (text) => expect(parseSubnet(text)).toBeUndefined(),
  );

  it('reads IPv6 with and without a gap, and with IPv4 at its end', () => {
    expect(parseAddress('2001:db8::1')).toEqual(parseAddress('2001:db8:0:0:0:0:0:1'));
    expect(parseAddress('64:ff9b::1.2.3.4')?.slice(12)).toEqual([1, 2, 3, 4]);
    expect(parseAddress('::')).toEqual(new Array(16).fill(0));
  });
});
