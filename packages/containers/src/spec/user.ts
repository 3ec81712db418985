import { Code, RpcError } from '@skep/platform';
import type { OciUser } from './oci.js';

/** The account files of an image, as text; empty when missing. */
export interface AccountFiles {
  passwd: string;
  group: string;
}

export interface ResolvedUser extends OciUser {
  home: string;
}

interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
}

const ID_MAX = 2 ** 31 - 1;

/**
 * Who a process runs as, from `user`, `user:group`, `uid`, `uid:gid` (mixed too; empty is root).
 * A number that no line of the files has is taken as it is; a name must be there.
 */
export function resolveUser(
  user: string,
  groupAdd: readonly string[],
  files: AccountFiles,
): ResolvedUser {
  const separator = user.indexOf(':');
  const userPart = separator < 0 ? user : user.slice(0, separator);
  const groupPart = separator < 0 ? '' : user.slice(separator + 1);
  const groups = parseGroup(files.group);
  const entry = findUser(userPart === '' ? '0' : userPart, parsePasswd(files.passwd));
  const gid = groupPart === '' ? entry.gid : findGroup(groupPart, groups);
  const memberOf =
    groupPart === '' && entry.name !== ''
      ? groups.filter((group) => group.members.includes(entry.name)).map((group) => group.gid)
      : [];
  const added = groupAdd.map((group) => findGroup(group, groups));
  const additional = [...new Set([gid, ...memberOf, ...added])];
  return { uid: entry.uid, gid, additionalGids: additional, home: entry.home };
}

function findUser(wanted: string, entries: readonly PasswdEntry[]): PasswdEntry {
  const byName = entries.find((entry) => entry.name === wanted);
  if (byName) return byName;
  if (!/^\d+$/.test(wanted)) {
    throw new RpcError(
      Code.INVALID_ARGUMENT,
      `unable to find user ${wanted}: no matching entries in passwd file`,
    );
  }
  const uid = idNumber(wanted);
  return entries.find((entry) => entry.uid === uid) ?? { name: '', uid, gid: 0, home: '/' };
}

function findGroup(wanted: string, entries: readonly GroupEntry[]): number {
  const byName = entries.find((entry) => entry.name === wanted);
  if (byName) return byName.gid;
  if (!/^\d+$/.test(wanted)) {
    throw new RpcError(
      Code.INVALID_ARGUMENT,
      `unable to find group ${wanted}: no matching entries in group file`,
    );
  }
  return idNumber(wanted);
}

function idNumber(text: string): number {
  const id = Number(text);
  if (id <= ID_MAX) return id;
  throw new RpcError(Code.INVALID_ARGUMENT, 'uids and gids must be in range 0-2147483647');
}

function parsePasswd(text: string): PasswdEntry[] {
  return fields(text).map(([name = '', , uid = '0', gid = '0', , home = '']) => ({
    name,
    uid: Number(uid) || 0,
    gid: Number(gid) || 0,
    home: home === '' ? '/' : home,
  }));
}

function parseGroup(text: string): GroupEntry[] {
  return fields(text).map(([name = '', , gid = '0', members = '']) => ({
    name,
    gid: Number(gid) || 0,
    members: members.split(',').filter((member) => member !== ''),
  }));
}

function fields(text: string): string[][] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}
