/** What the control plane does to people. */
import { type Directory, findUser, revokeUserSessions, type User } from './directory.ts';
import type { Realm } from './realm.ts';
import type { UserSeed } from './seed.ts';

export interface UserControl {
  /** Every grant and browser session of the person made so far is dead: AADSTS50173. */
  revokeSessions(username: string): void;
  disableUser(username: string): void;
  enableUser(username: string): void;
  /** Assigns these roles, and no others, on every app that declares them; on the rest the person loses all. */
  setRoles(username: string, roles: readonly string[]): void;
  /** Object ids of the groups the person is in from now on, and no others. */
  setGroups(username: string, groups: readonly string[]): void;
}

export function createUserControl(realm: Realm): UserControl {
  const user = (name: string) => requireUser(realm.directory, name);
  return {
    revokeSessions: (username) => revokeUserSessions(user(username), realm.nowMs()),
    disableUser(username) {
      user(username).enabled = false;
    },
    enableUser(username) {
      user(username).enabled = true;
    },
    setRoles: (username, roles) => assignRoles(user(username), roles),
    setGroups: (username, groups) => changeUser(user(username), { groups }),
  };
}

function assignRoles(user: User, roles: readonly string[]): void {
  const declaring = user.tenant.apps.filter((app) => (app.seed.appRoles ?? []).length > 0);
  const known = new Set(declaring.flatMap((app) => app.seed.appRoles ?? []).map((role) => role.value));
  const unknown = roles.find((role) => !known.has(role));
  if (unknown !== undefined) throw new RangeError(`No app of the tenant has a role '${unknown}'`);
  user.roles.clear();
  for (const app of declaring) {
    const assigned = roles.filter((role) => app.seed.appRoles?.some((each) => each.value === role));
    if (assigned.length > 0) user.roles.set(app.seed.clientId, assigned);
  }
}

/** Replaces seeded facts of this one person: the seed itself is never written to, `reset` needs it. */
function changeUser(user: User, facts: Partial<UserSeed>): void {
  (user as { seed: UserSeed }).seed = { ...user.seed, ...facts };
}

export function requireUser(directory: Directory, name: string): User {
  const user = findUser(directory.tenants, name);
  if (user === undefined) throw new RangeError(`No user '${name}'`);
  return user;
}
