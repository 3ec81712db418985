/**
 * What a machine's first process runs, in new namespaces, before it becomes the init that reaps
 * processes. Arguments: the machine's name, its directories (etc, data, runtime), then the engine's
 * command, if any. It says its number on the host, and waits for the network to be plugged in.
 *
 * - Mounts of the host made later are seen, those made here stay here.
 * - Directories where engines meet without knowing (containerd's shims, WireGuard's sockets, named
 *   namespaces) are the machine's own; the host's named namespaces would be kept alive by this view of them.
 * - The engine is started again when it fails, as a service manager would and as soon (a node that is
 *   away for seconds is given up by its swarm), and left alone when it ends well.
 */
export const BOOT_SCRIPT = `
set -e
init=$(command -v tini || command -v docker-init) ||
  { echo 'neither tini nor docker-init is installed' >&2; exit 1; }
read -r pid rest </proc/self/stat
name=$1 etc=$2 data=$3 runtime=$4
shift 4
mount --make-rslave /
mount --make-rshared /
for file in hosts hostname resolv.conf; do
  if [ -e "/etc/$file" ]; then mount --bind "$etc/$file" "/etc/$file"; fi
done
mkdir -p "$runtime/.private/containerd" "$runtime/.private/netns" "$runtime/.private/wireguard"
mkdir -p /run/wireguard
if [ -d /run/netns ]; then
  umount -l -R /run/netns 2>/dev/null || true
  mount --bind "$runtime/.private/netns" /run/netns
fi
mount --bind "$runtime/.private/containerd" /run/containerd
mount --bind "$runtime/.private/wireguard" /run/wireguard
mount --bind "$data" /var/lib/skep
mount --bind "$runtime" /run/skep
mount -t proc proc /proc
echo "$name" >/proc/sys/kernel/hostname
echo "$pid"
read -r go
if [ $# -gt 0 ]; then
  (
    until "$@"; do
      echo $? >/run/skep/engine.exit
      sleep 0.2
    done
    echo 0 >/run/skep/engine.exit
  ) >&2 </dev/null &
fi
exec "$init" -- sleep infinity </dev/null >/dev/null 2>&1
`;
