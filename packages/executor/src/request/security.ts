import {
  type ContainerSpec,
  type Privileges,
  Privileges_AppArmorOpts_AppArmorMode,
  type Privileges_SELinuxContext,
  Privileges_SeccompOpts_SeccompMode,
} from '@skep/wire/swarmkit';

function selinuxOptions(context: Privileges_SELinuxContext | undefined): string[] {
  if (!context) return [];
  if (context.disable) return ['label=disable'];
  const { level, role, type, user } = context;
  return Object.entries({ user, role, type, level })
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `label=${key}:${value}`);
}

function seccompOptions({ seccomp }: Privileges): string[] {
  if (seccomp?.mode === Privileges_SeccompOpts_SeccompMode.UNCONFINED)
    return ['seccomp=unconfined'];
  if (seccomp?.mode !== Privileges_SeccompOpts_SeccompMode.CUSTOM) return [];
  return [`seccomp=${Buffer.from(seccomp.profile).toString('utf8')}`];
}

/** A service's privileges as `--security-opt` values. Refuses credential specs, which only Windows has. */
export function securityOptions({ privileges }: ContainerSpec): string[] {
  if (!privileges) return [];
  if (privileges.credentialSpec) throw new Error('credential specs are supported on Windows only');
  const options = [...seccompOptions(privileges), ...selinuxOptions(privileges.selinuxContext)];
  if (privileges.apparmor?.mode === Privileges_AppArmorOpts_AppArmorMode.DISABLED) {
    options.push('apparmor=unconfined');
  }
  if (privileges.noNewPrivileges) options.push('no-new-privileges:true');
  return options;
}
