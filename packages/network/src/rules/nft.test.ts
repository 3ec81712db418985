import { expect, it } from 'vitest';
import { renderNft } from './nft.js';

it('renders changes as one script, leaving out those without elements', () => {
  const table = 't';
  const text = renderNft([
    { kind: 'elements-add', table, set: 's', elements: [] },
    { kind: 'elements-add', table, set: 'm', elements: [{ key: 'tcp . 80', value: '10.0.0.5' }] },
    { kind: 'elements-remove', table, set: 's', elements: [{ key: 'tcp . 81' }] },
    { kind: 'set-flush', table, set: 's' },
    { kind: 'chain-add', table, chain: 'c', rules: ['accept'] },
    { kind: 'table-remove', table },
  ]);
  expect(text.split('\n')).toEqual([
    'add element ip t m { tcp . 80 : 10.0.0.5 }',
    'add element ip t s { tcp . 81 }',
    'delete element ip t s { tcp . 81 }',
    'flush set ip t s',
    'add chain ip t c',
    'flush chain ip t c',
    'table ip t {',
    'chain c {',
    'accept',
    '}',
    '}',
    'delete table ip t',
  ]);
});

it('replaces a table within one transaction, whether or not it is there', () => {
  const layout = {
    sets: { s: { kind: 'set', declaration: 'type mark;' } as const },
    chains: { c: ['type filter hook forward priority filter;', 'accept'] },
  };
  const text = renderNft([{ kind: 'table-replace', table: 't', layout }]);
  expect(text.split('\n').slice(0, 3)).toEqual([
    'add table ip t',
    'delete table ip t',
    'table ip t {',
  ]);
  expect(text).toContain('set s { type mark; }');
});
