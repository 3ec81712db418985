import { closeSync, constants } from 'node:fs';
import { createRequire } from 'node:module';

/** A file-system mount as containerd describes it: flags and data mixed in `options`. */
export interface MountSpec {
  type: string;
  source: string;
  options: readonly string[];
}

/** System calls that Node does not offer. Errors carry `code` and `syscall` as Node's own do. */
export interface Kernel {
  /** Makes a named pipe; no error when one is there already. */
  makeFifo(path: string, mode: number): void;
  /**
   * Opens a named pipe without waiting for the other side; for writing in both directions, so that
   * it never lacks a reader. The descriptor is the caller's; Node does not count it as opened by
   * itself, and so does not object when a socket takes it over in a worker thread.
   */
  openFifo(path: string, mode: 'read' | 'write'): number;
  /**
   * The beginning of an open file as memory: what is written there is in the file, for a kernel that
   * lives on also when this process does not. The file must be as long, or a later access ends the
   * process. It may be closed; the memory is let go of when nobody refers to it any more.
   */
  mapFile(file: number, bytes: number): ArrayBuffer;
  /** Connects a socket for datagrams to one of this machine; the descriptor is the caller's. */
  connectDatagram(path: string): number;
  /** Sends one without waiting; false when the receiver has no room for it now. */
  sendDatagram(socket: number, data: Uint8Array): boolean;
  mount(mount: MountSpec, target: string): void;
  /** Lazy unmount; no error when nothing is mounted there. */
  unmount(target: string): void;
}

const EEXIST = 17;
const EINVAL = 22;
const ENOENT = 2;
/** The same on every architecture Linux and Node share; Node does not name it. */
const O_CLOEXEC = 0o2000000;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_FAILED = 2n ** 64n - 1n;
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const EAGAIN = 11;
const ENOBUFS = 105;
/** Bytes of a socket's path, with the zero that ends it. */
const SOCKET_PATH_BYTES_MAX = 108;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
/** The kernel copies at most a page of mount data. */
const MOUNT_DATA_BYTES_MAX = 4095;

const MOUNT_FLAGS: Record<string, number> = {
  ro: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  sync: 16,
  remount: 32,
  dirsync: 128,
  noatime: 1024,
  nodiratime: 2048,
  bind: 4096,
  rbind: 4096 | 16384,
  relatime: 1 << 21,
  strictatime: 1 << 24,
};
const IGNORED_OPTIONS = new Set(['rw', 'defaults', 'suid', 'dev', 'exec', 'async', 'atime']);

/** Splits mount options into the flags and the data string of mount(2). */
export function parseMountOptions(options: readonly string[]): { flags: number; data: string } {
  let flags = 0;
  const data: string[] = [];
  for (const option of options) {
    const flag = MOUNT_FLAGS[option];
    if (flag !== undefined) flags |= flag;
    else if (!IGNORED_OPTIONS.has(option)) data.push(option);
  }
  return { flags, data: data.join(',') };
}

/** Where the lower directories of an overlay share a parent: shortens data beyond one page. */
export function shortenOverlay(data: string): { directory: string; data: string } | undefined {
  const options = data.split(',');
  const index = options.findIndex((option) => option.startsWith('lowerdir='));
  const lower = options[index]?.slice('lowerdir='.length).split(':');
  if (!lower || lower.length === 0) return undefined;
  // …/snapshots/<n>/fs: the grandparent is the same for all layers of a snapshotter.
  const directory = lower[0]?.split('/').slice(0, -2).join('/') ?? '';
  if (directory === '' || !lower.every((path) => path.startsWith(`${directory}/`))) {
    return undefined;
  }
  const relative = lower.map((path) => path.slice(directory.length + 1));
  options[index] = `lowerdir=${relative.join(':')}`;
  return { directory, data: options.join(',') };
}

interface LibC {
  open(path: string, flags: number): number;
  mkfifo(path: string, mode: number): number;
  mmap(
    address: null,
    bytes: number,
    protection: number,
    flags: number,
    file: number,
    offset: number,
  ): bigint;
  munmap(address: bigint, bytes: number): number;
  view(address: bigint, bytes: number): ArrayBuffer;
  socket(family: number, type: number, protocol: number): number;
  connect(socket: number, address: Uint8Array, bytes: number): number;
  send(socket: number, data: Uint8Array, bytes: number, flags: number): number;
  mount(source: string, target: string, type: string, flags: number, data: string | null): number;
  umount2(target: string, flags: number): number;
  chdir(path: string): number;
  errno(): number;
  errnoName(code: number): string;
}

function loadLibC(): LibC {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load('libc.so.6');
  const names = new Map(Object.entries(koffi.os.errno).map(([name, code]) => [code, name]));
  return {
    open: library.func('int open(const char *path, int flags)'),
    mkfifo: library.func('int mkfifo(const char *path, uint32_t mode)'),
    mmap: library.func(
      'void *mmap(void *address, size_t bytes, int protection, int flags, int file, long offset)',
    ),
    munmap: library.func('int munmap(void *address, size_t bytes)'),
    view: (address, bytes) => koffi.view(address, bytes),
    socket: library.func('int socket(int family, int type, int protocol)'),
    connect: library.func('int connect(int socket, const uint8_t *address, uint32_t bytes)'),
    send: library.func('long send(int socket, const uint8_t *data, size_t bytes, int flags)'),
    mount: library.func(
      'int mount(const char *source, const char *target, const char *type, ' +
        'ulong flags, const char *data)',
    ),
    umount2: library.func('int umount2(const char *target, int flags)'),
    chdir: library.func('int chdir(const char *path)'),
    errno: () => koffi.errno(),
    errnoName: (code) => names.get(code) ?? `errno ${code}`,
  };
}

/**
 * The machine's kernel, through libc. Loaded at first use, so that nothing needs it to import this.
 */
export class RealKernel implements Kernel {
  #libc: LibC | undefined;
  readonly #mappings = new FinalizationRegistry<{ address: bigint; bytes: number }>(
    ({ address, bytes }) => void this.#c.munmap(address, bytes),
  );

  get #c(): LibC {
    this.#libc ??= loadLibC();
    return this.#libc;
  }

  makeFifo(path: string, mode: number): void {
    if (this.#c.mkfifo(path, mode) !== 0) this.#fail('mkfifo', path, EEXIST);
  }

  openFifo(path: string, mode: 'read' | 'write'): number {
    const access = mode === 'read' ? constants.O_RDONLY : constants.O_RDWR;
    const file = this.#c.open(path, access | constants.O_NONBLOCK | O_CLOEXEC);
    if (file < 0) this.#fail('open', path);
    return file;
  }

  mapFile(file: number, bytes: number): ArrayBuffer {
    const address = this.#c.mmap(null, bytes, PROT_READ_WRITE, MAP_SHARED, file, 0);
    if (address === MAP_FAILED) this.#fail('mmap', String(file));
    const memory = this.#c.view(address, bytes);
    this.#mappings.register(memory, { address, bytes });
    return memory;
  }

  connectDatagram(path: string): number {
    const address = Buffer.alloc(2 + SOCKET_PATH_BYTES_MAX);
    address.writeUInt16LE(AF_UNIX);
    const isShort = Buffer.byteLength(path) < SOCKET_PATH_BYTES_MAX;
    if (!isShort) throw new Error(`connect ${path}: the path of a socket is shorter`);
    address.write(path, 2);
    const socket = this.#c.socket(AF_UNIX, SOCK_DGRAM | O_CLOEXEC, 0);
    if (socket < 0) this.#fail('socket', path);
    if (this.#c.connect(socket, address, address.length) === 0) return socket;
    const errno = this.#c.errno();
    closeSync(socket);
    this.#throw('connect', path, errno);
  }

  sendDatagram(socket: number, data: Uint8Array): boolean {
    if (this.#c.send(socket, data, data.length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return true;
    this.#fail('send', String(socket), EAGAIN, ENOBUFS);
    return false;
  }

  mount(mount: MountSpec, target: string): void {
    const { flags, data } = parseMountOptions(mount.options);
    const short =
      Buffer.byteLength(data) > MOUNT_DATA_BYTES_MAX && mount.type === 'overlay'
        ? shortenOverlay(data)
        : undefined;
    // Relative lower directories count from the working directory. The call is synchronous and all
    // other paths of the daemon are absolute, so nobody sees the change.
    if (short && this.#c.chdir(short.directory) !== 0) this.#fail('chdir', short.directory);
    const text = short?.data ?? data;
    const failed =
      this.#c.mount(mount.source, target, mount.type, flags, text === '' ? null : text) !== 0;
    const errno = failed ? this.#c.errno() : 0;
    if (short) this.#c.chdir('/');
    if (failed) this.#throw('mount', target, errno);
  }

  unmount(target: string): void {
    if (this.#c.umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) !== 0) {
      this.#fail('umount', target, EINVAL, ENOENT);
    }
  }

  #fail(syscall: string, path: string, ...tolerated: number[]): void {
    const errno = this.#c.errno();
    if (!tolerated.includes(errno)) this.#throw(syscall, path, errno);
  }

  #throw(syscall: string, path: string, errno: number): never {
    const code = this.#c.errnoName(errno);
    throw Object.assign(new Error(`${syscall} ${path}: ${code}`), { code, errno, syscall, path });
  }
}
