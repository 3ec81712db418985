import { create, type DescMessage, equals, type MessageShape } from '@bufbuild/protobuf';
import { durationMs } from '@skep/wire';
import {
  type ContainerSpec,
  type HealthConfig,
  type Mount,
  Mount_BindOptionsSchema,
  Mount_TmpfsOptionsSchema,
  Mount_Type,
  Mount_VolumeOptionsSchema,
} from '@skep/wire/swarmkit';
import { addresses } from '../../constraint/index.js';
import { invalidArgument, unimplemented } from '../errors.js';
import { HEALTH_TIME_MS_MIN } from '../limits.js';
import { isImageReference } from './image-reference.js';

/** Checks what a container is made from; throws Docker's text (features.md 2.5). */
export function checkContainer(container: ContainerSpec): void {
  checkImage(container.image);
  checkMounts(container.mounts);
  checkHealth(container.healthcheck);
  checkNames(container);
}

function checkImage(image: string): void {
  if (image === '') throw invalidArgument('ContainerSpec: image reference must be provided');
  if (!isImageReference(image)) {
    throw invalidArgument(`ContainerSpec: ${JSON.stringify(image)} is not a valid repository/tag`);
  }
}

function checkMounts(mounts: readonly Mount[]): void {
  const targets = new Set<string>();
  for (const mount of mounts) {
    const { target, tmpfsOptions, type } = mount;
    if (targets.has(target)) {
      throw invalidArgument(`ContainerSpec: duplicate mount point: ${target}`);
    }
    targets.add(target);
    const sizeBytes = tmpfsOptions?.sizeBytes ?? 0n;
    // Docker leaves it to the node, where each container would fail to start.
    if (sizeBytes < 0n) {
      throw invalidArgument(
        `ContainerSpec: tmpfs size of ${target} cannot be negative: ${sizeBytes}`,
      );
    }
    checkForeignOptions(mount);
    // No node could ever be given one: no manager here makes them.
    if (type === Mount_Type.CLUSTER) {
      throw unimplemented('cluster volumes are not supported by this engine');
    }
  }
}

/** Of Docker's nodes some reject such a mount, and others ignore what it says. */
function checkForeignOptions(mount: Mount): void {
  const { bindOptions, target, tmpfsOptions, type, volumeOptions } = mount;
  const foreign = [
    type !== Mount_Type.BIND &&
      type !== Mount_Type.NPIPE &&
      isSaid(Mount_BindOptionsSchema, bindOptions) &&
      'BindOptions',
    type !== Mount_Type.VOLUME &&
      isSaid(Mount_VolumeOptionsSchema, volumeOptions) &&
      'VolumeOptions',
    type !== Mount_Type.TMPFS && isSaid(Mount_TmpfsOptionsSchema, tmpfsOptions) && 'TmpfsOptions',
  ].find(Boolean);
  if (!foreign) return;
  const name = Mount_Type[type].toLowerCase();
  throw invalidArgument(
    `ContainerSpec: invalid mount config for type "${name}": ${target}: field ${foreign} must not be specified`,
  );
}

/** Whether there are options that say anything. */
function isSaid<T extends DescMessage>(schema: T, options: MessageShape<T> | undefined): boolean {
  return options !== undefined && !equals(schema, options, create(schema));
}

/** Kinds of tests; none is the image's. */
const HEALTH_TESTS: ReadonlySet<string | undefined> = new Set([
  undefined,
  'NONE',
  'CMD',
  'CMD-SHELL',
]);

function checkHealth(health: HealthConfig | undefined): void {
  if (!health) return;
  // Docker's task waits for ever for a health that nothing looks at.
  if (!HEALTH_TESTS.has(health.test[0])) {
    const kind = JSON.stringify(health.test[0]);
    throw invalidArgument(`ContainerSpec: unknown kind of health check ${kind}: expected CMD`);
  }
  const times = {
    Interval: health.interval,
    Timeout: health.timeout,
    StartPeriod: health.startPeriod,
    StartInterval: health.startInterval,
  };
  for (const [name, time] of Object.entries(times)) {
    const ms = durationMs(time);
    if (ms !== 0 && ms < HEALTH_TIME_MS_MIN) {
      throw invalidArgument(
        `ContainerSpec: ${name} in HealthConfig cannot be less than ${HEALTH_TIME_MS_MIN}ms`,
      );
    }
  }
  if (health.retries < 0) {
    throw invalidArgument('ContainerSpec: Retries in HealthConfig cannot be negative');
  }
}

/** What the engine resolves to an address of the host (`docker run --add-host`). */
const HOST_GATEWAY = 'host-gateway';

/** Docker's clients check these, in these words; its nodes drop, or write down, what is none. */
function checkNames({ dnsConfig, hosts }: ContainerSpec): void {
  for (const line of hosts) {
    const [address = '', name] = line.trim().split(/\s+/);
    if (!name) throw invalidArgument(`bad format for add-host: ${JSON.stringify(line)}`);
    if (address !== HOST_GATEWAY && !isAddress(address.replace(/^\[(.*)\]$/, '$1'))) {
      throw invalidArgument(`invalid IP address in add-host: ${JSON.stringify(address)}`);
    }
  }
  for (const server of dnsConfig?.nameservers ?? []) {
    if (!isAddress(server)) {
      throw invalidArgument(`IP address is not correctly formatted: ${server}`);
    }
  }
}

function isAddress(text: string): boolean {
  return addresses.parseAddress(text) !== undefined;
}
