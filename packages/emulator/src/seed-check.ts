/** What a seed of the right form still gets wrong: names that nobody has, names that two have. */
import { checkRegistrable } from './redirect-uri.ts';
import type { AppSeed, Seed, TenantSeed } from './seed.ts';
import { describeFault, type ShapeFault } from './shape.ts';

/** Finds what a seed gets wrong, all at once. @throws TypeError listing each fault */
export function checkSeed(seed: Seed): void {
  const faults = findContradictions(seed);
  if (faults.length > 0) throw new TypeError(`The seed is wrong: ${faults.map(describeFault).join('; ')}`);
}

/** Every fault with its path and remedy. */
export function findContradictions(seed: Seed): readonly ShapeFault[] {
  const { tenants } = seed;
  if (tenants.length === 0)
    return [{ path: '$.tenants', problem: 'is empty', remedy: 'describe one tenant at least' }];
  return [
    ...findRepeated('tenant', '$.tenants', 'tenantId', tenants),
    ...findRepeated('domain', '$.tenants', 'domain', tenants),
    ...tenants.flatMap((tenant, index) => checkTenant(tenant, `$.tenants[${index}]`)),
  ];
}

function checkTenant(tenant: TenantSeed, path: string): readonly ShapeFault[] {
  return [
    ...findRepeated('user', `${path}.users`, 'username', tenant.users),
    ...findRepeated('user', `${path}.users`, 'objectId', tenant.users),
    ...findRepeated('app', `${path}.apps`, 'clientId', tenant.apps),
    ...tenant.apps.flatMap((app, index) => checkApp(tenant, app, `${path}.apps[${index}]`)),
  ];
}

function checkApp(tenant: TenantSeed, app: AppSeed, path: string): readonly ShapeFault[] {
  const roles = new Set((app.appRoles ?? []).map((role) => role.value));
  const usernames = new Set(tenant.users.map((user) => user.username.toLowerCase()));
  return [
    ...app.redirectUris.flatMap(({ uri }, index) =>
      checkRedirectUri(app, uri, `${path}.redirectUris[${index}].uri`),
    ),
    ...(app.assignments ?? []).flatMap((each, index) => [
      ...(usernames.has(each.username.toLowerCase())
        ? []
        : [
            {
              path: `${path}.assignments[${index}].username`,
              problem: `assigns ${each.username}, who is not a user`,
              remedy: `add the user, or take the assignment out of ${app.displayName}`,
            },
          ]),
      ...each.roles
        .filter((role) => !roles.has(role))
        .map((role) => ({
          path: `${path}.assignments[${index}].roles`,
          problem: `assigns the role ${role}, which ${app.displayName} does not declare`,
          remedy: 'add it to appRoles',
        })),
    ]),
  ];
}

function checkRedirectUri(app: AppSeed, uri: string, path: string): readonly ShapeFault[] {
  try {
    checkRegistrable(uri);
    return [];
  } catch (problem) {
    const remedy = problem instanceof Error ? problem.message : 'write one that the portal accepts';
    return [{ path, problem: `of ${app.displayName} is refused (${uri})`, remedy }];
  }
}

function findRepeated<T>(
  kind: string,
  path: string,
  member: keyof T & string,
  items: readonly T[],
): readonly ShapeFault[] {
  const names = items.map((item) => String(item[member]).toLowerCase());
  return names.flatMap((name, index) =>
    names.indexOf(name) === index
      ? []
      : [
          {
            path: `${path}[${index}].${member}`,
            problem: `is the ${kind} ${name} a second time`,
            remedy: 'keep one',
          },
        ],
  );
}
