import { create } from '@bufbuild/protobuf';
import { completeObject, type ServiceObject } from '@skep/wire';
import { ServiceSchema } from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { serviceSpec, type Wish } from './specs.js';
import { Wishes } from './wishes.js';

const WEB: Wish = { name: 'web', replicas: 2, image: 'web:1' };
const MORE: Wish = { ...WEB, replicas: 5 };

function found(wish: Wish): ServiceObject {
  return completeObject('service', create(ServiceSchema, { spec: serviceSpec(wish) }));
}

describe('what a user was told', () => {
  let wishes: Wishes;
  const check = (...services: Wish[]) => wishes.check(services.map(found));

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
    expect(() => check({ ...WEB, replicas: 3 })).toThrow('acknowledged');
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
});
