import type { EndpointConfig } from '../contract/config.js';
import type {
  ContainerInspect,
  ContainerSummary,
  EndpointState,
  MountPoint,
  NetworkSettings,
} from '../contract/state.js';
import type { MountRecord } from '../records/record.js';
import { isOwnNetwork, userNetworks } from '../run/network-mode.js';
import type { Container } from './container.js';
import type { EngineContext } from './context.js';
import { statusText } from './status-text.js';

const GRAPH_DRIVER = 'overlay2';

/** GET /containers/{id}/json. */
export function inspectContainer(context: EngineContext, container: Container): ContainerInspect {
  const { record, status } = container;
  const { paths } = context;
  return {
    Id: record.id,
    Created: record.created,
    Path: record.path,
    Args: record.args,
    State: structuredClone(status.state),
    Image: record.imageId,
    ResolvConfPath: paths.networkFile(record.id, 'resolv.conf'),
    HostnamePath: paths.networkFile(record.id, 'hostname'),
    HostsPath: paths.networkFile(record.id, 'hosts'),
    LogPath: container.log.policy.keeps ? paths.log(record.id) : '',
    Name: `/${record.name}`,
    RestartCount: status.restartCount,
    Driver: GRAPH_DRIVER,
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: container.execIds.size > 0 ? [...container.execIds] : null,
    HostConfig: record.hostConfig,
    GraphDriver: { Name: GRAPH_DRIVER, Data: graphData(container, paths.root(record.id)) },
    Mounts: record.mounts.map(mountPoint),
    Config: record.config,
    NetworkSettings: networkSettings(container),
  };
}

function graphData(container: Container, mergedPath: string): Record<string, string> {
  const options = container.record.rootMounts[0]?.options ?? [];
  const value = (name: string) =>
    options.find((option) => option.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
  return {
    LowerDir: value('lowerdir'),
    MergedDir: mergedPath,
    UpperDir: value('upperdir'),
    WorkDir: value('workdir'),
  };
}

/** A mount as clients see it, without our own fields. */
function mountPoint(mount: MountRecord): MountPoint {
  const { Type, Name, Source, Destination, Driver, Mode, RW, Propagation } = mount;
  return {
    Type,
    ...(Name === undefined ? {} : { Name }),
    Source,
    Destination,
    ...(Type === 'volume' ? { Driver: Driver ?? 'local' } : {}),
    Mode,
    RW,
    Propagation,
  };
}

function networkSettings(container: Container): NetworkSettings {
  const sandbox = container.status.sandbox?.state;
  const Networks = networks(container);
  const first = Networks['bridge'];
  return {
    Bridge: '',
    SandboxID: sandbox?.sandboxId ?? '',
    SandboxKey: sandbox?.netnsPath ?? '',
    Ports: sandbox?.ports ?? {},
    Networks,
    EndpointID: first?.EndpointID ?? '',
    Gateway: first?.Gateway ?? '',
    IPAddress: first?.IPAddress ?? '',
    IPPrefixLen: first?.IPPrefixLen ?? 0,
    MacAddress: first?.MacAddress ?? '',
  };
}

/** The networks of a running container, or the names of those a stopped one will have. */
function networks(container: Container): Record<string, EndpointState> {
  const sandbox = container.status.sandbox?.state;
  if (sandbox) return sandbox.endpoints;
  const { endpointsConfig, hostConfig, task } = container.record;
  const { NetworkMode } = hostConfig;
  if (NetworkMode.startsWith('container:')) return {};
  const own = isOwnNetwork(NetworkMode) ? [NetworkMode] : [];
  const wanted = task?.endpoints.length
    ? task.endpoints.map((endpoint) => endpoint.networkName)
    : [...own, ...userNetworks(container.record)];
  return Object.fromEntries(wanted.map((name) => [name, futureEndpoint(endpointsConfig[name])]));
}

/** A network that a container will be on when it is started. */
function futureEndpoint(config: EndpointConfig = {}): EndpointState {
  return {
    NetworkID: '',
    EndpointID: '',
    Gateway: '',
    IPAddress: '',
    IPPrefixLen: 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    MacAddress: '',
    Aliases: config.Aliases ?? null,
    IPAMConfig: config.IPAMConfig ?? null,
    Links: null,
    DriverOpts: config.DriverOpts ?? null,
  };
}

/** A row of GET /containers/json. */
export function summarise(container: Container, nowMs: number): ContainerSummary {
  const { record, status } = container;
  return {
    Id: record.id,
    Names: [`/${record.name}`],
    Image: record.config.Image,
    ImageID: record.imageId,
    Command: [record.path, ...record.args.map(quoted)].join(' '),
    Created: Math.floor(Date.parse(record.created) / 1000),
    Ports: publishedPorts(container),
    Labels: record.config.Labels,
    State: status.state.Status,
    Status: statusText(status.state, nowMs),
    HostConfig: { NetworkMode: record.hostConfig.NetworkMode },
    NetworkSettings: { Networks: networks(container) },
    Mounts: record.mounts.map(mountPoint),
  };
}

/** An argument as `docker ps` shows it. */
function quoted(argument: string): string {
  return argument.includes(' ') ? `'${argument}'` : argument;
}

/** Exposed and bound ports of a running container, in Docker's form. */
export function publishedPorts(container: Container): ContainerSummary['Ports'] {
  const sandbox = container.status.sandbox?.state;
  if (!sandbox) return [];
  const all = { ...container.record.config.ExposedPorts, ...sandbox.ports };
  return Object.keys(all).flatMap((key) => {
    const [port = '', Type = 'tcp'] = key.split('/');
    const PrivatePort = Number(port);
    const bindings = sandbox.ports[key] ?? [];
    if (bindings.length === 0) return [{ PrivatePort, Type }];
    return bindings.map(({ HostIp, HostPort }) => ({
      IP: HostIp || '0.0.0.0',
      PrivatePort,
      PublicPort: Number(HostPort),
      Type,
    }));
  });
}
