import { create } from '@bufbuild/protobuf';
import { type NetworkResources, type TaskController, TemporaryError } from '@skep/agent';
import { Code, RpcError, SimClock, settle, silentLogger } from '@skep/platform';
import { completeObject, type TaskObject } from '@skep/wire';
import { RenameContainerResponseSchema } from '@skep/wire/skep';
import {
  type AttachNetworkRequest,
  AttachNetworkResponseSchema,
  DetachNetworkResponseSchema,
  TaskSchema,
} from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeEngine } from '../testing/fake-engine.js';
import { makeContext } from '../testing/setup.js';
import { AttachmentController } from './attachment-controller.js';
import { ContainerAttachments } from './container-attachments.js';
import { ATTACH_TIMEOUT_MS } from './limits.js';

/** A manager that keeps an address for each attachment, under the ids `a1`, `a2`, … */
class FakeResources implements NetworkResources {
  readonly asked: AttachNetworkRequest[] = [];
  readonly detached: string[] = [];
  failure: RpcError | undefined;

  async attachNetwork(request: AttachNetworkRequest) {
    if (this.failure) throw this.failure;
    this.asked.push(request);
    return create(AttachNetworkResponseSchema, { attachmentId: `a${this.asked.length}` });
  }
  async detachNetwork({ attachmentId }: { attachmentId: string }) {
    if (this.failure) throw this.failure;
    this.detached.push(attachmentId);
    return create(DetachNetworkResponseSchema);
  }
  readonly renamed: string[] = [];
  async renameContainer({ containerId, name }: { containerId: string; name: string }) {
    if (this.failure) throw this.failure;
    this.renamed.push(`${containerId} ${name}`);
    return create(RenameContainerResponseSchema);
  }
}

const unavailable = () => new RpcError(Code.UNAVAILABLE, 'no manager answers');

let clock: SimClock;
let engine: FakeEngine;
let resources: FakeResources;
let isInSwarm: boolean;
let attachments: ContainerAttachments;

beforeEach(() => {
  clock = new SimClock();
  engine = new FakeEngine();
  resources = new FakeResources();
  isInSwarm = true;
  attachments = open();
});

const open = () =>
  new ContainerAttachments({
    clock,
    logger: silentLogger,
    resources: () => (isInSwarm ? resources : undefined),
  });

const attach = (containerId = 'c1', address = '') =>
  attachments.attach({ containerId, network: 'net', address, names: ['box', 'db', 'c1'] });

/** The task of an attachment, as it reaches the node. */
function taskOf(id: string, address: string, containerId = 'c1'): TaskObject {
  const network = {
    id: 'n1',
    spec: { annotations: { name: 'net' } },
    driverState: { name: 'overlay' },
    ipam: { configs: [{ subnet: '10.0.1.0/24', gateway: '10.0.1.1' }] },
  };
  const spec = { runtime: { case: 'attachment' as const, value: { containerId } } };
  const networks = [{ network, addresses: [address] }];
  return completeObject('task', create(TaskSchema, { id, spec, networks }));
}

/** Whether this node has its own address in the network yet. */
const waited: string[][] = [];
function controllerOf(task: TaskObject): TaskController {
  const nodeAttachments = { wait: async (ids: string[]) => void waited.push(ids) };
  const room = { engine, logger: silentLogger, attachments: nodeAttachments as never };
  return new AttachmentController({ room, containers: attachments, task });
}

async function bring(task: TaskObject): Promise<TaskController> {
  const controller = controllerOf(task);
  await controller.prepare(makeContext());
  await controller.start(makeContext());
  return controller;
}

/** A promise's outcome so far. */
async function outcome(promise: Promise<unknown>): Promise<'pending' | 'done' | string> {
  const ended = promise.then(
    () => 'done',
    (error: Error) => error.message,
  );
  const pending = settle().then(() => 'pending');
  return Promise.race([ended, pending]);
}

it('a manager hears that a container has another name, if there is one', async () => {
  await attachments.rename('c1', 'crate');
  expect(resources.renamed).toEqual(['c1 crate']);
  isInSwarm = false;
  await attachments.rename('c1', 'chest');
  expect(resources.renamed).toEqual(['c1 crate']);
  isInSwarm = true;
  resources.failure = unavailable();
  await expect(attachments.rename('c1', 'chest')).rejects.toMatchObject({ code: Code.UNAVAILABLE });
  resources.failure = new RpcError(Code.UNIMPLEMENTED, 'a Docker Engine');
  await attachments.rename('c1', 'chest');
});

describe('a container', () => {
  it('gets the address that its task brings, and the task lasts as long as it uses it', async () => {
    const endpoint = attach('c1', '10.0.1.5');
    await settle();
    expect(resources.asked[0]).toMatchObject({
      containerId: 'c1',
      config: { target: 'net', addresses: ['10.0.1.5'], aliases: ['box', 'db', 'c1'] },
    });
    const controller = await bring(taskOf('a1', '10.0.1.5/24'));
    expect(waited.at(-1)).toEqual(['n1']);
    expect(await endpoint).toMatchObject({
      networkId: 'n1',
      networkName: 'net',
      address: '10.0.1.5/24',
      subnet: '10.0.1.0/24',
      aliases: ['db', 'c1'],
    });
    const used = controller.wait(makeContext());
    expect(await outcome(used)).toBe('pending');
    attachments.detach('c1', 'other');
    attachments.detach('c2');
    expect(await outcome(used)).toBe('pending');
    attachments.detach('c1');
    expect(await outcome(used)).toBe('done');
    expect(resources.detached).toEqual(['a1']);
    await controller.remove(makeContext());
    expect(engine.calls).toEqual([]);
  });

  it('gets an address that came before the answer that it would', async () => {
    let answer: (() => void) | undefined;
    const attachNetwork = resources.attachNetwork.bind(resources);
    resources.attachNetwork = async (request) => {
      await new Promise<void>((resolve) => (answer = resolve));
      return attachNetwork(request);
    };
    const endpoint = attach();
    await settle();
    await bring(taskOf('a1', '10.0.1.5/24'));
    answer?.();
    expect(await endpoint).toMatchObject({ address: '10.0.1.5/24' });
  });

  it('waits for a manager for a while, and says when there was none', async () => {
    resources.failure = unavailable();
    const refused = expect(attach()).rejects.toMatchObject({
      code: Code.UNAVAILABLE,
      message:
        'Could not attach to network net: no manager of the swarm could be reached within 20 s: no ' +
        'manager answers',
    });
    await clock.advance(ATTACH_TIMEOUT_MS);
    await refused;
    const endpoint = attach();
    await clock.advance(1_000);
    resources.failure = new RpcError(Code.CANCELED, 'context canceled');
    await clock.advance(1_000);
    resources.failure = undefined;
    await clock.advance(1_000);
    await bring(taskOf('a1', '10.0.1.5/24'));
    expect(await endpoint).toMatchObject({ address: '10.0.1.5/24' });
  });

  it('is told what the manager says', async () => {
    resources.failure = new RpcError(Code.PERMISSION_DENIED, 'network net not manually attachable');
    await expect(attach()).rejects.toMatchObject({
      code: Code.UNKNOWN,
      message:
        'Could not attach to network net: rpc error: code = PermissionDenied desc = network net not ' +
        'manually attachable',
    });
    isInSwarm = false;
    expect(attachments.isAvailable).toBe(false);
    await expect(attach()).rejects.toThrow('network net not found');
  });

  it('waits no longer when the engine stops, for whatever it waits', async () => {
    resources.failure = unavailable();
    const asking = expect(attach('c2')).rejects.toThrow('the engine stops');
    await clock.advance(1_000);
    resources.failure = undefined;
    const waiting = expect(attach('c1')).rejects.toThrow('the engine stops');
    await settle();
    attachments.close();
    await Promise.all([asking, waiting]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('does not wait for ever, and what comes too late is given back', async () => {
    const late = expect(attach()).rejects.toThrow(
      'attaching to network failed, make sure your network options are correct and check manager ' +
        'logs: context deadline exceeded',
    );
    await clock.advance(ATTACH_TIMEOUT_MS);
    await late;
    expect(resources.detached).toEqual(['a1']);
    await expect(bring(taskOf('a1', '10.0.1.5/24'))).rejects.toThrow(
      'container c1 does not wait for an address any more',
    );
  });

  it('that is started again waits until its last address is given back', async () => {
    const first = attach();
    await settle();
    const controller = await bring(taskOf('a1', '10.0.1.5/24'));
    await first;
    const used = controller.wait(makeContext());
    resources.failure = unavailable();
    attachments.detach('c1');
    await expect(used).rejects.toBeInstanceOf(TemporaryError);
    const again = attach('c1', '10.0.1.5');
    expect(await outcome(again)).toBe('pending');
    expect(resources.asked).toHaveLength(1);
    resources.failure = undefined;
    await controller.wait(makeContext());
    await settle();
    expect(resources.asked).toHaveLength(2);
    await bring(taskOf('a2', '10.0.1.5/24'));
    expect(await again).toMatchObject({ address: '10.0.1.5/24' });
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('after a restart', () => {
  const running = async (address: string) => {
    const { Id } = await engine.create('box', {});
    await engine.start(Id);
    engine.find(Id).endpoints = [{ NetworkID: 'n1', IPAddress: address }];
    return Id;
  };

  it('an address is held for the container that uses it', async () => {
    const id = await running('10.0.1.5');
    const controller = controllerOf(taskOf('a1', '10.0.1.5/24', id));
    const used = controller.wait(makeContext());
    expect(await outcome(used)).toBe('pending');
    attachments.detach(id, 'n1');
    expect(await outcome(used)).toBe('done');
    expect(resources.detached).toEqual(['a1']);
  });

  it('one that was being given when the process ended is taken over, too', async () => {
    const id = await running('10.0.1.5');
    await bring(taskOf('a1', '10.0.1.5/24', id));
    expect(attachments.isHeld('a1')).toBe(true);
  });

  it.each([
    ['of a container that is gone', 'gone', ''],
    ['that its container does not have any more', '', '10.0.1.6'],
  ])('an address %s is given back', async (_, gone, address) => {
    const id = gone || (await running(address));
    const controller = controllerOf(taskOf('a1', '10.0.1.5/24', id));
    await controller.wait(makeContext());
    expect(resources.detached).toEqual(['a1']);
  });

  it('an address that the manager has back already is no concern', async () => {
    resources.failure = new RpcError(Code.NOT_FOUND, 'attachment a1 not found');
    await controllerOf(taskOf('a1', '10.0.1.5/24')).wait(makeContext());
  });
});

describe('an address that the swarm takes away', () => {
  it('is no loss for a container that has asked anew', async () => {
    const { Id } = await engine.create('box', {});
    await engine.start(Id);
    engine.find(Id).endpoints = [{ NetworkID: 'n1', IPAddress: '10.0.1.5' }];
    const old = controllerOf(taskOf('old', '10.0.1.5/24', Id));
    void old.wait(makeContext());
    const endpoint = attach(Id, '10.0.1.5');
    await settle();
    await bring(taskOf('a1', '10.0.1.5/24', Id));
    await endpoint;
    await old.remove(makeContext());
    expect(engine.calls.filter((call) => call.startsWith('disconnect'))).toEqual([]);
    expect(attachments.isHeld('a1')).toBe(true);
  });

  it.each(['shutdown', 'remove'] as const)('leaves its container without it: %s', async (how) => {
    const { Id } = await engine.create('box', {});
    await engine.start(Id);
    const endpoint = attach(Id);
    await settle();
    const controller = await bring(taskOf('a1', '10.0.1.5/24', Id));
    await endpoint;
    await controller[how](makeContext());
    expect(engine.calls.at(-1)).toBe(`disconnect ${Id} n1`);
    expect(attachments.isHeld('a1')).toBe(false);
  });
});
