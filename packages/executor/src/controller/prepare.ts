import type { OperationContext } from '@skep/agent';
import { Code, RpcError } from '@skep/platform';
import { type TaskObject, taskName, templateData } from '@skep/wire';
import { type ContainerSpec, type Mount, Mount_Type } from '@skep/wire/swarmkit';
import { injectedFiles } from '../request/files.js';
import { overlayNetworkIds, taskEndpoints } from '../request/networks.js';
import { createRequest } from '../request/request.js';
import { engineWork } from './engine-errors.js';
import type { ControllerRoom } from './room.js';

/**
 * Does all that a task's container needs, then makes it. Resolves with what is unusual about where its
 * image came from.
 */
export async function prepareContainer(
  room: ControllerRoom,
  task: TaskObject,
  spec: ContainerSpec,
  { busy, signal }: OperationContext,
): Promise<string | undefined> {
  await room.attachments.wait(overlayNetworkIds(task), signal);
  await createVolumes(room, spec.mounts);
  const { image, pullOptions } = spec;
  const encodedAuth = pullOptions?.registryAuth ?? '';
  const need = { image, encodedAuth, serviceId: task.serviceId };
  const remark = await room.puller.ensure(need, signal);
  const extras = {
    endpoints: taskEndpoints(task),
    files: injectedFiles(spec, room.dependencies, templateData(task, room.node)),
  };
  const name = taskName(task);
  const request = createRequest(task, spec);
  try {
    await busy(() => engineWork(() => room.engine.create(name, request, extras)));
  } catch (error) {
    // An earlier attempt made it: the name holds the task's id, so it can be no other's.
    if (!(error instanceof RpcError) || error.code !== Code.ALREADY_EXISTS) throw error;
  }
  return remark;
}

/** Volumes with a driver of their own are made with its options before the container asks for them. */
async function createVolumes(room: ControllerRoom, mounts: readonly Mount[]): Promise<void> {
  for (const { source, type, volumeOptions } of mounts) {
    const driver = volumeOptions?.driverConfig;
    if (type !== Mount_Type.VOLUME || !driver) continue;
    const request = {
      ...(source === '' ? {} : { Name: source }),
      ...(driver.name === '' ? {} : { Driver: driver.name }),
      DriverOpts: driver.options,
      Labels: volumeOptions.labels,
    };
    // Without a name each task gets an anonymous one from the engine, with the same options.
    if (source !== '') await engineWork(() => room.volumes.create(request));
  }
}

/** A bind mount's source must be there: the swarm never makes one. */
export async function checkBindSources(
  room: Pick<ControllerRoom, 'disk'>,
  mounts: readonly Mount[],
): Promise<void> {
  for (const { bindOptions, source, type } of mounts) {
    if (type !== Mount_Type.BIND || bindOptions?.createmountpoint) continue;
    if (await room.disk.stat(source)) continue;
    throw new Error(`invalid bind mount source, source path not found: ${source}`);
  }
}
