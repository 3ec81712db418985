/** Go's os.FileMode keeps these apart from the permission bits (wire.md 1.5). */
const GO_SETUID = 1 << 23;
const GO_SETGID = 1 << 22;
const GO_STICKY = 1 << 20;
const PERMISSIONS = 0o777;

/** POSIX mode bits of a Go file mode. */
export function posixMode(goMode: number): number {
  let mode = goMode & PERMISSIONS;
  if (goMode & GO_SETUID) mode |= 0o4000;
  if (goMode & GO_SETGID) mode |= 0o2000;
  if (goMode & GO_STICKY) mode |= 0o1000;
  return mode;
}
