/**
 * The maps that balancing is made of, whatever their keys are. Only a small one holds verdicts: with
 * each verdict that comes, the kernel follows all of its map's, 1 ms for 10,000.
 */
export const BalanceSet = {
  /** key → number of the pick among its backends. */
  SERVICES: 'services',
  /** Number of a pick → its chain. */
  PICKS: 'picks',
  /** key . slot → backend: one map for all services. */
  BACKENDS: 'backends',
} as const;
