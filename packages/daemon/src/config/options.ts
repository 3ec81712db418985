import type { ImageGcPolicy } from '@skep/executor';
import type { HostAccess } from '@skep/wire';

/** Everything that can be set when the daemon starts. Names follow dockerd's. */
export interface DaemonOptions {
  /** What must outlive a reboot: swarm state, containers, images, volumes. */
  dataRoot: string;
  /** What must not: sockets, namespaces, pid files. */
  execRoot: string;
  /** `unix:///path` or `tcp://ip:port`. */
  hosts: string[];
  /** Address of a containerd to use instead of a child of our own. */
  containerd: string | undefined;
  insecureRegistries: string[];
  registryMirrors: string[];
  /** Engine labels, `key=value`. */
  labels: string[];
  /** Whether rules of ours may be put among those of iptables and firewalld. */
  iptables: boolean;
  /** Pools that local bridge networks are cut from. */
  defaultAddressPools: { base: string; size: number }[];
  /** `KIND=value` pairs of `--node-generic-resource`. */
  genericResources: string[];
  /** What services may ask of this node by their labels; nothing by default. */
  serviceAccess: HostAccess;
  /** How the output of containers is kept that do not say so themselves. */
  defaultLog: { Type: string; Config: Record<string, string> };
  /** When images that tasks left here go. */
  imageGc: ImageGcPolicy;
  metricsAddress: string | undefined;
  logLevel: string;
  tls: TlsOptions | undefined;
}

/** Files of a TCP listener: the client must show a certificate that `caFile` has signed. */
export interface TlsOptions {
  caFile: string;
  certFile: string;
  keyFile: string;
}

/** A mistake in flags or the configuration file: printed without a stack, exit code 1. */
export class OptionsError extends Error {
  override readonly name = 'OptionsError';
}
