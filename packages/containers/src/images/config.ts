import { Code, RpcError } from '@skep/platform';
import type { ContainerConfig } from '../contract/config.js';
import { LAYERS_MAX } from './limits.js';
import { parseJsonObject } from './manifest.js';
import { isDigest } from './reference.js';

export interface HistoryEntry {
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  empty_layer?: boolean;
}

/** An image's config document, which Docker and OCI share. */
export interface ImageConfig {
  created?: string;
  author?: string;
  comment?: string;
  architecture: string;
  variant?: string;
  os: string;
  osVersion?: string;
  dockerVersion?: string;
  /** Defaults for containers made from it. */
  config: Partial<ContainerConfig>;
  diffIds: string[];
  history: HistoryEntry[];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Reads a config; throws INVALID_ARGUMENT when it is not one. */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const json = parseJsonObject(bytes, 'the image config');
  const rootfs = json['rootfs'] as { type?: unknown; diff_ids?: unknown } | undefined;
  const diffIds = rootfs?.diff_ids ?? [];
  if (
    !Array.isArray(diffIds) ||
    diffIds.length > LAYERS_MAX ||
    !diffIds.every((id) => typeof id === 'string' && isDigest(id))
  ) {
    throw new RpcError(Code.INVALID_ARGUMENT, 'invalid image config: malformed layer list');
  }
  const optional = {
    created: text(json['created']),
    author: text(json['author']),
    comment: text(json['comment']),
    variant: text(json['variant']),
    osVersion: text(json['os.version']),
    dockerVersion: text(json['docker_version']),
  };
  return {
    ...(Object.fromEntries(Object.entries(optional).filter(([, value]) => value)) as object),
    architecture: text(json['architecture']) ?? '',
    os: text(json['os']) ?? '',
    config: (json['config'] ?? {}) as Partial<ContainerConfig>,
    diffIds,
    history: Array.isArray(json['history']) ? (json['history'] as HistoryEntry[]) : [],
  };
}
