/** What `skepd --help` prints. */
export const HELP = `Usage: skepd [OPTIONS]

Runs containers through containerd, answers the Docker API, and forms swarms.

Options:
      --allow-privileged-services     Let services ask to be privileged (label skep.privileged=true)
      --allow-service-device PATH     Device services may ask for (label skep.devices), * for any
                                      characters of a name (repeatable)
      --config-file FILE              Configuration file, the same keys (default /etc/skep/daemon.json)
      --containerd ADDRESS            Use a running containerd instead of starting one
      --data-root DIR                 What outlives a reboot (default /var/lib/skep)
      --default-address-pool POOL     Pool of local networks: base=CIDR,size=BITS (repeatable)
      --exec-root DIR                 Sockets, namespaces, pid files (default /run/skep)
  -H, --host URL                      unix:///PATH or tcp://IP:PORT (repeatable, default unix://EXEC-ROOT/skep.sock)
      --image-gc-high PERCENT         Disk use above which images that no task needs go (default 85)
      --image-gc-low PERCENT          Disk use at which no more of them go (default 80)
      --image-gc-max-age DURATION     Time unused after which they go in any case (default 0: never)
      --insecure-registry HOST|CIDR   Registry that may speak plain HTTP (repeatable)
      --iptables=BOOL                 Keep containers' way open through firewalls of iptables and
                                      firewalld that drop what is forwarded (default true)
      --label KEY=VALUE               Label of this engine (repeatable)
      --log-driver NAME               Log driver of containers that name none (default json-file)
  -l, --log-level LEVEL               debug, info, warn, error or fatal (default info)
      --log-opt KEY=VALUE             Option of that log driver (repeatable)
      --metrics-addr IP:PORT          Serve Prometheus metrics at /metrics
      --node-generic-resource K=V     Resource that services may reserve (repeatable)
      --registry-mirror URL           Ask this registry first for Docker Hub's images (repeatable)
      --tlsverify, --tlscacert, --tlscert, --tlskey FILE
                                      TLS of TCP listeners; clients must show a certificate
  -v, --version                       Print the version and quit
`;
