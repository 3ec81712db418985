import type { BoundService } from '@skep/rpc';

/** A service that adds the name of each method to `calls` as it is called. */
export function noting({ service, handlers }: BoundService, calls: string[]): BoundService {
  const entries = Object.entries(handlers).map(([name, handler]) => {
    const noted = (...args: unknown[]) => {
      calls.push(name);
      return (handler as (...args: unknown[]) => unknown)(...args);
    };
    return [name, noted];
  });
  return { service, handlers: Object.fromEntries(entries) };
}
