import { describe, expect, it } from 'vitest';
import { checkShape, type Shape } from './shape.js';

const SHAPE: Shape = {
  fields: {
    Name: 'string',
    Count: 'integer',
    On: 'bool',
    Env: { list: 'string' },
    Labels: { map: 'string' },
    Inner: { fields: { Deep: 'integer' } },
  },
};
const check = (value: unknown) => () => checkShape(value, SHAPE, 'Body');

describe('checkShape', () => {
  it('takes what fits, null anywhere, and fields nobody knows', () => {
    const inner = { Deep: -1, More: [] };
    const whole = { Name: 'x', Count: 1, On: true, Env: ['a', null], Labels: { a: 'b' } };
    expect(check({ ...whole, Inner: inner, Unknown: 7 })).not.toThrow();
    expect(check({ Name: null, Env: null, Labels: null, Inner: null })).not.toThrow();
    expect(check(undefined)).not.toThrow();
  });

  it.each([
    [[], 'array into Go struct field Body of type struct'],
    [{ Name: 5 }, 'number into Go struct field Body.Name of type string'],
    [{ Count: '5' }, 'string into Go struct field Body.Count of type int64'],
    [{ Count: 1.5 }, 'number into Go struct field Body.Count of type int64'],
    [{ On: 'yes' }, 'string into Go struct field Body.On of type bool'],
    [{ Env: 'A=b' }, 'string into Go struct field Body.Env of type []string'],
    [{ Env: [{}] }, 'object into Go struct field Body.Env of type string'],
    [{ Labels: ['a'] }, 'array into Go struct field Body.Labels of type map[string]string'],
    [{ Labels: { a: 1 } }, 'number into Go struct field Body.Labels of type string'],
    [{ Inner: { Deep: true } }, 'bool into Go struct field Body.Inner.Deep of type int64'],
  ])('refuses %j', (value, text) => {
    expect(check(value)).toThrow(`invalid JSON: json: cannot unmarshal ${text}`);
  });
});
