import type { NamespaceView } from '../kernel/contract.js';

/** Byte and packet counts by interface, under the names of Docker's stats. */
export function dockerCounters(view: NamespaceView): Record<string, Record<string, number>> {
  const named = view.links
    .filter(({ name }) => name !== 'lo')
    .map(({ name, counters }) => [
      name,
      {
        rx_bytes: counters.rxBytes,
        rx_packets: counters.rxPackets,
        rx_errors: counters.rxErrors,
        rx_dropped: counters.rxDropped,
        tx_bytes: counters.txBytes,
        tx_packets: counters.txPackets,
        tx_errors: counters.txErrors,
        tx_dropped: counters.txDropped,
      },
    ]);
  return Object.fromEntries(named);
}
