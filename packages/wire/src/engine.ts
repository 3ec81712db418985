import { create } from '@bufbuild/protobuf';
import {
  EngineDescriptionSchema,
  type NodeDescription,
  PluginDescriptionSchema,
} from './swarmkit.js';

/**
 * Listed by our agents as a plugin, which no other engine has: managers need to know how soon a node
 * is back that lost its manager.
 */
export const OWN_AGENT = { type: 'Agent', name: 'skep' } as const;

/** A description that says that it is given by an agent of ours. */
export function markOwnAgent(description: NodeDescription): NodeDescription {
  const engine = description.engine ?? create(EngineDescriptionSchema);
  const mark = create(PluginDescriptionSchema, OWN_AGENT);
  // In the order of types, as all plugins are.
  return { ...description, engine: { ...engine, plugins: [mark, ...engine.plugins] } };
}

/** Whether a node's agent is ours; false for a node that has not described itself yet. */
export function hasOwnAgent(description: NodeDescription | undefined): boolean {
  const plugins = description?.engine?.plugins ?? [];
  return plugins.some(({ type, name }) => type === OWN_AGENT.type && name === OWN_AGENT.name);
}
