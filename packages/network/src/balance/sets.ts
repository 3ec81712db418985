/**
 * The maps that balancing is made of, whatever their keys are. Only a small one holds verdicts:
 * with each that comes, the kernel walks all of its map, 0.75 ms for 10,000 (bench/README.md).
 */
export const BalanceSet = {
  /** key → number of the pick among its backends. */
  SERVICES: 'services',
  /** Number of a pick → its chain. */
  PICKS: 'picks',
  /** key . slot → backend: one map for all services. */
  BACKENDS: 'backends',
} as const;
