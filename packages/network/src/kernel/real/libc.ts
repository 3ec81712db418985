import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';

/** The few calls of the C library that Node has no word for. They act on the calling thread. */

const libc = koffi.load('libc.so.6');
const calls = {
  setns: libc.func('int setns(int fd, int kind)'),
  unshare: libc.func('int unshare(int flags)'),
  mount: libc.func(
    'int mount(const char *source, const char *target, const char *type, ulong flags, void *data)',
  ),
  umount2: libc.func('int umount2(const char *target, int flags)'),
  socket: libc.func('int socket(int domain, int type, int protocol)'),
  setsockopt: libc.func(
    'int setsockopt(int fd, int level, int name, const void *value, uint length)',
  ),
  getsockopt: libc.func('int getsockopt(int fd, int level, int name, void *value, void *length)'),
  bind: libc.func('int bind(int fd, const void *address, uint length)'),
  connect: libc.func('int connect(int fd, const void *address, uint length)'),
  open: libc.func('int open(const char *path, int flags)'),
  close: libc.func('int close(int fd)'),
  send: libc.func('long send(int fd, const void *data, size_t length, int flags)'),
  recv: libc.func('long recv(int fd, _Out_ void *data, size_t length, int flags)'),
};

export const CLONE_NEWNET = 0x40000000;
export const MS_BIND = 0x1000;
export const MNT_DETACH = 2;
const O_CLOEXEC = 0o2000000;

/** A refused system call; `code` is the errno's name. */
export class SystemCallError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'SystemCallError';
    this.code = code;
  }
}

export function systemError(what: string, errno: number, detail = ''): SystemCallError {
  const code = getSystemErrorName(-errno);
  return new SystemCallError(code, `${what}: ${detail || code}`);
}

function checked(what: string, result: number | bigint): number {
  const value = Number(result);
  if (value < 0) throw systemError(what, koffi.errno());
  return value;
}

export function setNamespace(fd: number): void {
  checked('setns', calls.setns(fd, CLONE_NEWNET));
}

export function unshare(flags: number): void {
  checked('unshare', calls.unshare(flags));
}

export function bindMount(source: string, target: string): void {
  checked(`mount ${target}`, calls.mount(source, target, 'none', MS_BIND, null));
}

export function detachMount(target: string): void {
  checked(`umount ${target}`, calls.umount2(target, MNT_DETACH));
}

/** For reading. Of no thread: Node's own open wants a file closed on the thread that opened it. */
export function openFile(path: string): number {
  return checked(`open ${path}`, calls.open(path, O_CLOEXEC));
}

export function openSocket(domain: number, type: number, protocol: number): number {
  return checked('socket', calls.socket(domain, type, protocol));
}

/** `address` is a `struct sockaddr`. */
export function bindSocket(fd: number, address: Buffer): void {
  checked('bind', calls.bind(fd, address, address.length));
}

/** Begins to connect a socket that does not block. */
export function connectSocket(fd: number, address: Buffer): void {
  if (calls.connect(fd, address, address.length) === 0) return;
  const errno = koffi.errno();
  if (errno !== constants.errno.EINPROGRESS) throw systemError('connect', errno);
}

const SOL_SOCKET = 1;
const SO_PROTOCOL = 38;
const SO_DOMAIN = 39;
const AF_NETLINK = 16;

/** The protocol of a netlink socket; undefined when the descriptor is none. */
export function socketProtocol(fd: number): number | undefined {
  const option = (name: number) => {
    const value = Buffer.alloc(4);
    const length = Buffer.of(4, 0, 0, 0);
    return calls.getsockopt(fd, SOL_SOCKET, name, value, length) < 0 ? -1 : value.readInt32LE();
  };
  return option(SO_DOMAIN) === AF_NETLINK ? option(SO_PROTOCOL) : undefined;
}

/**
 * For what {@link openSocket} made: Node's own close complains about descriptors it did not open.
 */
export function closeSocket(fd: number): void {
  checked('close', calls.close(fd));
}

export function setSocketOption(fd: number, level: number, name: number, value: Buffer): void {
  checked('setsockopt', calls.setsockopt(fd, level, name, value, value.length));
}

export function sendBytes(fd: number, data: Buffer): void {
  checked('send', calls.send(fd, data, data.length, 0));
}

/** Fills `data` from its start; resolves the number of bytes. */
export function receiveBytes(fd: number, data: Buffer): number {
  return checked('recv', calls.recv(fd, data, data.length, 0));
}
