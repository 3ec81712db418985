import { ENGINES, type Engine, engineFlag, type NewMachine } from '@skep/machines';
import { CommandError } from '../context.js';

/** What `create` reads from its command line. */
export interface CreateOptions {
  driver: string;
  engine: string;
  engineOpt: string[];
  engineLabel: string[];
  engineInsecureRegistry: string[];
  engineRegistryMirror: string[];
  subnet?: string;
}

export const DRIVER = 'netns';

/** docker-machine's drivers for machines on the host at hand: what tutorials ask for. */
const LOCAL_DRIVERS = [
  ...['virtualbox', 'hyperv', 'hyperkit', 'xhyve', 'kvm', 'kvm2'],
  ...['vmware', 'vmwarefusion', 'parallels'],
];

/** A word about the driver, if another was asked for. Throws for what is no local machine. */
export function driverNote(driver: string): string | undefined {
  if (driver === DRIVER) return undefined;
  if (LOCAL_DRIVERS.includes(driver)) {
    return `Driver ${driver} asks for a machine on this host: ${DRIVER} makes it of namespaces.`;
  }
  throw new CommandError(`Driver "${driver}" not found. Do you have the plugin binary accessible?`);
}

/** Throws for an engine there is none of, and for malformed flags. */
export function newMachine(name: string, options: CreateOptions): NewMachine {
  const { engine } = options;
  if (!isEngine(engine)) {
    throw new CommandError(`invalid engine "${engine}": use one of ${ENGINES.join(', ')}`);
  }
  const flags = [
    ...options.engineOpt,
    ...options.engineLabel.map((label) => `label=${label}`),
    ...options.engineInsecureRegistry.map((registry) => `insecure-registry=${registry}`),
    ...options.engineRegistryMirror.map((mirror) => `registry-mirror=${mirror}`),
  ];
  if (engine === 'none' && flags.length > 0) {
    throw new CommandError('a machine without an engine takes no engine options');
  }
  return { name, engine, engineFlags: flags.map(engineFlag) };
}

function isEngine(text: string): text is Engine {
  return (ENGINES as readonly string[]).includes(text);
}
