import { beforeEach, describe, expect, it } from 'vitest';
import { type Wish, Wishes } from './wishes.js';

function webOf(replicas: number): Wish {
  return { name: 'web', text: `${replicas} of web:1` };
}

const WEB = webOf(2);
const MORE = webOf(5);

describe('what a user was told', () => {
  let wishes: Wishes;
  const check = (...found: Wish[]) =>
    wishes.check(new Map(found.map(({ name, text }) => [name, text])));

  beforeEach(() => {
    wishes = new Wishes();
  });

  it('holds: what was acknowledged is there, as it was acknowledged', () => {
    wishes.create(WEB)();
    check(WEB);
    expect(() => check()).toThrow('acknowledged: web is not there');
    expect(() => check(MORE)).toThrow('acknowledged: web is 5 of web:1');
    wishes.update(MORE)();
    expect(() => check(WEB)).toThrow('acknowledged');
    wishes.remove('web')();
    check();
    expect(() => check(MORE)).toThrow('acknowledged');
  });

  it('says nothing of what was not answered', () => {
    wishes.create(WEB);
    check();
    check(WEB);
    wishes.update(MORE);
    check(MORE);
    expect(() => check(webOf(3))).toThrow('acknowledged');
  });

  it('rules out an unanswered update by a later answer, but not a removal', () => {
    wishes.create(WEB)();
    wishes.update(MORE);
    wishes.update(WEB)();
    expect(() => check(MORE)).toThrow('acknowledged');
    wishes.remove('web');
    wishes.update(MORE)();
    check(MORE);
    check();
    wishes.create(WEB)();
    expect(() => check()).toThrow('acknowledged');
  });

  it('rules out nothing by an update that may be taken back', () => {
    wishes.create(WEB)();
    wishes.update({ ...MORE, returns: true })();
    check(MORE);
    check(WEB);
    expect(() => check()).toThrow('acknowledged');
    wishes.update(webOf(3))();
    expect(() => check(WEB)).toThrow('acknowledged');
  });
});
