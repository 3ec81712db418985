import { Gauge, type Registry } from 'prom-client';

/** Bytes of images since the start of the daemon. */
export interface MeasuredImages {
  pulled: { registry: number; peers: number };
  sent: number;
}

/** Registers where images came from, and how much of them went to other nodes. */
export function registerImageGauges(registry: Registry, measured: () => MeasuredImages): void {
  new Gauge({
    name: 'skep_image_pulled_bytes_total',
    help: 'Bytes of images fetched, from registries and from other nodes',
    labelNames: ['from'],
    registers: [registry],
    collect() {
      const { peers, registry: registries } = measured().pulled;
      this.set({ from: 'registry' }, registries);
      this.set({ from: 'peers' }, peers);
    },
  });
  new Gauge({
    name: 'skep_image_sent_bytes_total',
    help: 'Bytes of images sent to other nodes',
    registers: [registry],
    collect() {
      this.set(measured().sent);
    },
  });
}
