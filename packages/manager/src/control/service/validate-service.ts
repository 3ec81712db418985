import { type CompleteServiceSpec, completeServiceSpec, durationMs } from '@skep/wire';
import {
  type EndpointSpec,
  EndpointSpec_ResolutionMode,
  type NetworkAttachmentConfig,
  type PortConfig,
  PortConfig_PublishMode,
  type ServiceSpec,
  type UpdateConfig,
} from '@skep/wire/swarmkit';
import { invalidArgument, unimplemented } from '../errors.js';
import { PORT_MAX } from '../limits.js';
import { checkName } from '../names.js';
import { checkAccessLabels } from './access-labels.js';
import { checkNetworkLabels } from './network-labels.js';
import { checkTaskSpec } from './validate-task.js';

const INT64_MAX = 2n ** 63n - 1n;

/** Checks all of a service that can be checked without looking at the swarm; returns it completed. */
export function checkServiceSpec(given: ServiceSpec | undefined): CompleteServiceSpec {
  if (!given) throw invalidArgument();
  const spec = completeServiceSpec(given);
  checkName(spec.annotations);
  checkTaskSpec(spec.task, spec.annotations);
  checkNetworks([...spec.task.networks, ...spec.networks]);
  checkMode(spec);
  checkUpdateConfig(spec.update, 'update');
  checkUpdateConfig(spec.rollback, 'rollback');
  checkEndpoint(spec.endpoint);
  checkNetworkLabels(spec);
  checkAccessLabels(spec);
  return spec;
}

function checkMode(spec: ServiceSpec): void {
  const { mode } = spec;
  switch (mode.case) {
    case 'replicated':
      if (mode.value.replicas > INT64_MAX) {
        throw invalidArgument('Number of replicas must be non-negative');
      }
      return;
    case 'global':
      return;
    case 'replicatedJob':
      if (mode.value.maxConcurrent > INT64_MAX) {
        throw invalidArgument('Maximum concurrent jobs must not be negative');
      }
      if (mode.value.totalCompletions > INT64_MAX) {
        throw invalidArgument('Total completed jobs must not be negative');
      }
      checkJob(spec);
      return;
    case 'globalJob':
      checkJob(spec);
      return;
    default:
      throw invalidArgument('Unrecognized service mode');
  }
}

/** Docker's managers take a rollback config, of which nothing would ever come. */
function checkJob({ update, rollback }: ServiceSpec): void {
  if (update) throw invalidArgument('Jobs may not have an update config');
  if (rollback) throw invalidArgument('Jobs may not have a rollback config');
}

/** `phase`: what the texts call it. Docker looks at updates alone, and takes any rollback config. */
function checkUpdateConfig(config: UpdateConfig | undefined, phase: 'update' | 'rollback'): void {
  if (!config) return;
  const refuse = (what: string) => invalidArgument(`TaskSpec: ${phase}-${what}`);
  if (durationMs(config.delay) < 0) throw refuse('delay cannot be negative');
  if (durationMs(config.monitor) < 0) throw refuse('monitor cannot be negative');
  if (config.maxFailureRatio < 0 || config.maxFailureRatio > 1) {
    throw refuse('maxfailureratio cannot be less than 0 or bigger than 1');
  }
}

/** Overlay networks have no options for one service; Docker's take any, and most do nothing. */
function checkNetworks(networks: readonly NetworkAttachmentConfig[]): void {
  if (networks.some(({ driverAttachmentOpts }) => Object.keys(driverAttachmentOpts).length > 0)) {
    throw unimplemented('driver-opt of --network is not supported by this engine');
  }
}

function checkEndpoint(endpoint: EndpointSpec | undefined): void {
  const published = new Set<string>();
  for (const port of endpoint?.ports ?? []) {
    checkPortNumbers(port);
    if (
      endpoint?.mode === EndpointSpec_ResolutionMode.DNSRR &&
      port.publishMode === PortConfig_PublishMode.INGRESS
    ) {
      throw invalidArgument(
        "EndpointSpec: port published with ingress mode can't be used with dnsrr mode",
      );
    }
    if (port.publishedPort === 0) continue;
    const key = `${port.publishedPort}/${port.protocol}`;
    if (published.has(key)) {
      throw invalidArgument('EndpointSpec: duplicate published ports provided');
    }
    published.add(key);
  }
}

/** A published port of 0 asks for any. Docker's clients check this, and its managers do not. */
function checkPortNumbers({ publishedPort, targetPort }: PortConfig): void {
  if (targetPort < 1 || targetPort > PORT_MAX) {
    throw invalidArgument(
      `EndpointSpec: invalid target port ${targetPort}: must be 1 to ${PORT_MAX}`,
    );
  }
  if (publishedPort > PORT_MAX) {
    throw invalidArgument(
      `EndpointSpec: invalid published port ${publishedPort}: must be 1 to ${PORT_MAX}`,
    );
  }
}
