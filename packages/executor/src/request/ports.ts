import { create } from '@bufbuild/protobuf';
import type { PortMap } from '@skep/containers';
import type { TaskObject } from '@skep/wire';
import {
  PortConfig_Protocol,
  PortConfig_PublishMode,
  PortConfigSchema,
  type PortStatus,
  PortStatusSchema,
} from '@skep/wire/swarmkit';

const PROTOCOLS: Record<PortConfig_Protocol, string> = {
  [PortConfig_Protocol.TCP]: 'tcp',
  [PortConfig_Protocol.UDP]: 'udp',
  [PortConfig_Protocol.SCTP]: 'sctp',
};

/** Host-mode ports, to be bound by the engine; port 0 asks for a free one. */
export function hostPortBindings(task: TaskObject): PortMap {
  const bindings: PortMap = {};
  for (const port of task.endpoint?.ports ?? []) {
    if (port.publishMode !== PortConfig_PublishMode.HOST) continue;
    const key = `${port.targetPort}/${PROTOCOLS[port.protocol]}`;
    const HostPort = port.publishedPort === 0 ? '' : String(port.publishedPort);
    bindings[key] = [...(bindings[key] ?? []), { HostIp: '', HostPort }];
  }
  return bindings;
}

/** The host ports a container got, as its task's status tells them. */
export function portStatus(ports: PortMap): PortStatus | undefined {
  const found = new Map<string, ReturnType<typeof portConfig>>();
  for (const [key, bindings] of Object.entries(ports)) {
    for (const { HostPort } of bindings ?? []) {
      const [targetPort = '', protocol = 'tcp'] = key.split('/');
      // The same port bound for IPv4 and IPv6 is one port.
      found.set(`${key} ${HostPort}`, portConfig(Number(targetPort), protocol, Number(HostPort)));
    }
  }
  if (found.size === 0) return undefined;
  return create(PortStatusSchema, { ports: [...found.values()] });
}

function portConfig(targetPort: number, protocol: string, publishedPort: number) {
  return create(PortConfigSchema, {
    protocol: PortConfig_Protocol[protocol.toUpperCase() as keyof typeof PortConfig_Protocol],
    targetPort,
    publishedPort,
    publishMode: PortConfig_PublishMode.HOST,
  });
}
