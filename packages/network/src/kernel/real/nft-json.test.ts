import { expect, it } from 'vitest';
import { parseBaseChains, parseRuleCounts, parseTableElements } from './nft-json.js';

const LISTING = {
  nftables: [
    { metainfo: { version: '1.0.6' } },
    { chain: { family: 'ip', table: 'skep', name: 'translate', handle: 1 } },
    {
      chain: {
        family: 'ip',
        table: 'filter',
        name: 'FORWARD',
        type: 'filter',
        hook: 'forward',
        prio: 0,
        policy: 'drop',
      },
    },
    {
      map: {
        family: 'ip',
        name: 'bound',
        table: 'skep',
        elem: [[{ concat: ['tcp', 8080] }, { concat: ['172.17.0.2', 80] }]],
      },
    },
    {
      map: {
        family: 'ip',
        name: 'services',
        table: 'skep',
        elem: [[{ concat: ['tcp', 80] }, { goto: { target: 'pick_3' } }]],
      },
    },
    { set: { family: 'ip', name: 'published', table: 'skep', elem: [{ concat: ['udp', 53] }] } },
    { set: { name: 'ambiguous', elem: [{ prefix: { addr: '10.0.0.0', len: 24 } }] } },
    { set: { name: 'empty' } },
  ],
};

it('reads sets and maps in the words they were written in', () => {
  expect(parseTableElements(LISTING)).toEqual(
    new Map([
      ['bound', new Map([['tcp . 8080', '172.17.0.2 . 80']])],
      ['services', new Map([['tcp . 80', 'goto pick_3']])],
      ['published', new Map([['udp . 53', '']])],
      ['ambiguous', new Map([['10.0.0.0/24', '']])],
      ['empty', new Map()],
    ]),
  );
});

it('finds the chains that hang on hooks', () => {
  const chain = { family: 'ip', table: 'filter', chain: 'FORWARD', hook: 'forward' };
  expect(parseBaseChains(LISTING)).toEqual([{ ...chain, policy: 'drop' }]);
});

it('rules of chains are counted, none as well', () => {
  const chain = (name: string) => ({ chain: { family: 'ip', table: 'skep', name } });
  const rule = { rule: { family: 'ip', table: 'skep', chain: 'translate', expr: [] } };
  const listing = { nftables: [chain('empty'), chain('translate'), rule, rule] };
  expect(parseRuleCounts(listing)).toEqual(
    new Map([
      ['empty', 0],
      ['translate', 2],
    ]),
  );
});
