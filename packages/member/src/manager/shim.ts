import type { BoundService, Channel } from '@skep/rpc';
export interface LeaderSource {
  leader(): 'self' | Channel | undefined;
  onChange(listener: () => void): () => void;
}
export class LeaderProxy {
  constructor(_: unknown) {}
  wrap(service: BoundService): BoundService {
    return service;
  }
}
