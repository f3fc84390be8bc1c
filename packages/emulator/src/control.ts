/**
 * Room `control`: the hand of the test: changes the tenant while it runs, plans faults, reads what was asked.
 * In-process only; an HTTP face would call the same functions.
 */
import {
  type App,
  createDirectory,
  type Directory,
  findUser,
  revokeUserSessions,
  type User,
} from './directory.ts';
import type { Fault, FaultMatch } from './faults.ts';
import type { GraphBudget } from './graph/graph-state.ts';
import { issuerV2, nowSeconds, type Realm } from './realm.ts';
import { checkRegistrable } from './redirect-uri.ts';
import type { RequestLog, RequestLogEntry } from './request-log.ts';
import type { FederatedCredential, Platform, Seed } from './seed.ts';

/** Every function that names a user or an app throws a RangeError when there is none of that name. */
export interface Control {
  /** Registers a redirect URI; default platform `web`. @throws TypeError for one the portal would refuse */
  addRedirectUri(clientId: string, uri: string, platform?: Platform): void;
  /** Registers a PEM certificate for client assertions. */
  addCertificate(clientId: string, certificatePem: string): void;
  addFederatedCredential(clientId: string, credential: FederatedCredential): void;
  /** Plans a fault; `times` default: until cleared. The first planned one that matches is used. */
  setFault(match: FaultMatch, fault: Fault, times?: number): void;
  clearFaults(): void;
  /** A new signing key with an unseen kid; the previous one stays published. */
  rotateKeys(): Promise<void>;
  /** Every grant and browser session of the person made so far is dead: AADSTS50173. */
  revokeSessions(username: string): void;
  disableUser(username: string): void;
  enableUser(username: string): void;
  /** Assigns these roles, and no others, on every app that declares them; on the rest the person loses all. */
  setRoles(username: string, roles: readonly string[]): void;
  /** Life of access tokens from now on; `undefined` = Entra's 60 to 90 minutes. */
  setAccessTokenLifetime(seconds: number | undefined): void;
  /** So many Graph requests per app and tenant in a window, then 429 until it ends; `undefined` = no limit. */
  setGraphBudget(budget: GraphBudget | undefined): void;
  /** A token as a managed identity gets it from the platform: `sub` is its principal id. Lives 24 hours. */
  createManagedIdentityToken(principalId: string, audience: string): Promise<string>;
  requestLog(): readonly RequestLogEntry[];
  /** Back to the seed: users, apps, grants, faults, log and lifetimes. Keys and ports stay. */
  reset(): void;
}

export function createControl(realm: Realm & { directory: Directory }, log: RequestLog, seed: Seed): Control {
  const user = (name: string) => requireUser(realm.directory, name);
  const app = (clientId: string) => requireApp(realm.directory, clientId);
  return {
    addRedirectUri(clientId, uri, platform = 'web') {
      checkRegistrable(uri);
      app(clientId).redirectUris.push({ uri, platform });
    },
    addCertificate: (clientId, certificatePem) => void app(clientId).certificates.push(certificatePem),
    addFederatedCredential: (clientId, credential) =>
      void app(clientId).federatedCredentials.push(credential),
    setFault: (match, fault, times) => realm.faults.set(match, fault, times),
    clearFaults: () => realm.faults.clear(),
    rotateKeys: () => realm.keys.rotate(),
    revokeSessions(username) {
      revokeUserSessions(user(username), realm.nowMs());
    },
    disableUser(username) {
      user(username).enabled = false;
    },
    enableUser(username) {
      user(username).enabled = true;
    },
    setRoles: (username, roles) => assignRoles(user(username), roles),
    setAccessTokenLifetime(seconds) {
      realm.settings.accessTokenLifetimeSeconds = seconds;
    },
    setGraphBudget(budget) {
      realm.settings.graphBudget = budget;
    },
    createManagedIdentityToken: (principalId, audience) =>
      signManagedIdentityToken(realm, principalId, audience),
    requestLog: () => log.entries(),
    reset() {
      realm.directory = createDirectory(seed);
      realm.grants.clear();
      realm.faults.clear();
      realm.settings.accessTokenLifetimeSeconds = undefined;
      realm.settings.graphBudget = undefined;
      realm.graph.clear();
      log.clear();
    },
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

async function signManagedIdentityToken(
  realm: Realm,
  principalId: string,
  audience: string,
): Promise<string> {
  const [tenant] = realm.directory.tenants;
  if (tenant === undefined) throw new RangeError('The seed has no tenant');
  const { tenantId } = tenant.seed;
  const now = nowSeconds(realm);
  const times = { iat: now - 300, nbf: now - 300, exp: now + 86_400 };
  const subject = { sub: principalId, oid: principalId, idtyp: 'app', tid: tenantId, ver: '2.0' };
  return realm.keys.sign({ aud: audience, iss: issuerV2(realm, tenantId), ...times, ...subject });
}

function requireUser(directory: Directory, name: string): User {
  const user = findUser(directory.tenants, name);
  if (user === undefined) throw new RangeError(`No user '${name}'`);
  return user;
}

function requireApp(directory: Directory, clientId: string): App {
  const app = directory.tenants
    .flatMap((tenant) => tenant.apps)
    .find((each) => each.seed.clientId === clientId.toLowerCase());
  if (app === undefined) throw new RangeError(`No app '${clientId}'`);
  return app;
}
