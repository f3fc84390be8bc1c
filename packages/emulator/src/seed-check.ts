import { checkRegistrable } from './redirect-uri.ts';
import type { AppSeed, Seed, TenantSeed } from './seed.ts';

/** Finds what a seed gets wrong, all at once. @throws TypeError listing each fault */
export function checkSeed(seed: Seed): void {
  const faults = seed.tenants.flatMap((tenant) => [
    ...findRepeated(
      'user',
      tenant.users.map((user) => user.username),
    ),
    ...findRepeated(
      'app',
      tenant.apps.map((app) => app.clientId),
    ),
    ...tenant.apps.flatMap((app) => checkApp(tenant, app)),
  ]);
  if (seed.tenants.length === 0) faults.push('there is no tenant');
  if (faults.length > 0) throw new TypeError(`The seed is wrong: ${faults.join('; ')}`);
}

function checkApp(tenant: TenantSeed, app: AppSeed): readonly string[] {
  const roles = new Set((app.appRoles ?? []).map((role) => role.value));
  const usernames = new Set(tenant.users.map((user) => user.username.toLowerCase()));
  const assignments = app.assignments ?? [];
  return [
    ...app.redirectUris.flatMap(({ uri }) => checkRedirectUri(app, uri)),
    ...assignments
      .filter((each) => !usernames.has(each.username.toLowerCase()))
      .map((each) => `${app.displayName} assigns ${each.username}, who is not a user`),
    ...assignments
      .flatMap((each) => each.roles)
      .filter((role) => !roles.has(role))
      .map((role) => `${app.displayName} assigns the role ${role}, which it does not declare`),
  ];
}

function checkRedirectUri(app: AppSeed, uri: string): readonly string[] {
  try {
    checkRegistrable(uri);
    return [];
  } catch (problem) {
    return [`${app.displayName}: ${uri}: ${problem instanceof Error ? problem.message : 'invalid'}`];
  }
}

function findRepeated(kind: string, names: readonly string[]): readonly string[] {
  const lower = names.map((name) => name.toLowerCase());
  return lower
    .filter((name, index) => lower.indexOf(name) !== index)
    .map((name) => `the ${kind} ${name} is there twice`);
}
